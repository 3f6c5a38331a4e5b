// Sizes on the wire, as far as a script can know them.
//
// A script sees bodies and messages byte for byte, and the fields of a response head. It does not
// see its request heads: the browser adds a dozen fields to those that the script sets.
// This module therefore builds each request head the way browsers do, and measures the result. The
// estimate is within a few dozen bytes, so the page shows "≈" wherever a head is part of a sum.
// TCP, IP and TLS are not counted.

const encoder = new TextEncoder();

/** @param {string} text */
export function utf8Length(text) {
  return encoder.encode(text).length;
}

/**
 * Estimates the size of a request head.
 * @param {string} method
 * @param {URL} url
 * @param {Record<string, string>} ownFields the fields that the page itself sets
 * @param {number} [bodyLength]
 */
export function requestHead(method, url, ownFields, bodyLength) {
  const fields = {
    Host: url.host,
    Connection: 'keep-alive',
    'User-Agent': navigator.userAgent,
    Accept: '*/*',
    'Accept-Encoding': 'gzip, deflate, br, zstd',
    'Accept-Language': languages(),
    'Sec-Fetch-Site': 'same-origin',
    'Sec-Fetch-Mode': 'cors',
    'Sec-Fetch-Dest': 'empty',
    // The browser adds these two because of `cache: "no-store"`.
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    ...clientHints(),
    ...ownFields,
  };
  if (bodyLength !== undefined) {
    fields['Content-Length'] = String(bodyLength);
    fields.Origin = url.origin;
  }
  return head(`${method} ${url.pathname}${url.search} HTTP/1.1`, Object.entries(fields));
}

/**
 * Returns the size of a response head. A script of the same origin sees all of its fields.
 * @param {Response} response
 */
export function responseHead(response) {
  return head(`HTTP/1.1 ${response.status} ${response.statusText}`, [...response.headers]);
}

/**
 * Estimates the size of a WebSocket handshake request, which a script never sees (RFC 6455 §1.3).
 * @param {URL} url
 */
export function handshake(url) {
  return head(`GET ${url.pathname}${url.search} HTTP/1.1`, Object.entries({
    Host: url.host,
    Connection: 'Upgrade',
    Pragma: 'no-cache',
    'Cache-Control': 'no-cache',
    'User-Agent': navigator.userAgent,
    Upgrade: 'websocket',
    Origin: location.origin,
    'Sec-WebSocket-Version': '13',
    'Accept-Encoding': 'gzip, deflate, br, zstd',
    'Accept-Language': languages(),
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
  }));
}

/**
 * Returns the size of this server's response to a WebSocket handshake.
 * @param {WebSocket} socket an open socket
 */
export function handshakeResponse({ extensions }) {
  return head('HTTP/1.1 101 Switching Protocols', Object.entries({
    Date: new Date().toUTCString(),
    Vary: 'Accept, Prefer, Last-Event-ID, Origin',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    ...(extensions && { 'Sec-WebSocket-Extensions': extensions }),
  }));
}

/**
 * Returns the exact size of a WebSocket frame (RFC 6455 §5.2): two bytes, an extended length if
 * seven bits are not enough, a mask of four bytes if a client sends the frame, and the payload.
 * @param {number} payload the size of the payload
 * @param {boolean} masked
 */
export function frame(payload, masked) {
  const extendedLength = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
  return 2 + extendedLength + (masked ? 4 : 0) + payload;
}

/**
 * The bytes around an HTTP/1.1 chunk of less than 256 bytes (RFC 9112 §7.1): two digits and CRLF
 * before the chunk, and CRLF after it.
 */
export const CHUNK_FRAME = 6;

/**
 * @param {string} firstLine
 * @param {[string, string][]} fields
 */
function head(firstLine, fields) {
  let size = firstLine.length + 2;
  for (const [name, value] of fields) size += name.length + 2 + value.length + 2;
  return size + 2;
}

/** Returns the browser's Accept-Language field, for example `en-US,en;q=0.9`. */
function languages() {
  return navigator.languages
    .map((language, i) => (i === 0 ? language : `${language};q=${Math.max(0.1, 1 - i / 10)}`))
    .join(',');
}

/** Returns the three fields that Chromium-based browsers also send to secure origins and loopback. */
function clientHints() {
  const data = navigator.userAgentData;
  if (!data) return {};
  return {
    'sec-ch-ua': data.brands.map(({ brand, version }) => `"${brand}";v="${version}"`).join(', '),
    'sec-ch-ua-mobile': data.mobile ? '?1' : '?0',
    'sec-ch-ua-platform': `"${data.platform}"`,
  };
}
