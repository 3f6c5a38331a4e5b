// How many bytes something takes on the wire, as far as a script can know.
//
// A script sees bodies and messages, byte for byte, and the fields of an answer's head. It does not see
// the head of its own requests: the browser adds a dozen fields to the few that were asked for. So a
// request's head is written out here the way browsers write it, and measured. That is close (within a
// few dozen bytes), not exact, and the page therefore says "≈" wherever a head is part of a sum.
// Not counted: TCP, IP and TLS beneath.

const encoder = new TextEncoder();

/** @param {string} text */
export function utf8Length(text) {
  return encoder.encode(text).length;
}

/**
 * About the size of a request's head.
 * @param {string} method
 * @param {URL} url
 * @param {Record<string, string>} asked the fields that the page sets itself
 * @param {number} [bodyLength]
 */
export function requestHead(method, url, asked, bodyLength) {
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
    // What `cache: "no-store"` adds.
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    ...clientHints(),
    ...asked,
  };
  if (bodyLength !== undefined) {
    fields['Content-Length'] = String(bodyLength);
    fields.Origin = url.origin;
  }
  return head(`${method} ${url.pathname}${url.search} HTTP/1.1`, Object.entries(fields));
}

/**
 * The size of an answer's head: a script of the same origin sees all of its fields.
 * @param {Response} response
 */
export function responseHead(response) {
  return head(`HTTP/1.1 ${response.status} ${response.statusText}`, [...response.headers]);
}

/**
 * About the size of a WebSocket's handshake, whose heads a script never sees (RFC 6455 §1.3).
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
 * The size of the answer to it, as this server writes it.
 * @param {WebSocket} socket an open one
 */
export function handshakeAnswer({ extensions }) {
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
 * The size of a WebSocket frame, exactly (RFC 6455 §5.2): two bytes, then a longer length where seven
 * bits do not hold it, then from a client a mask of four bytes, then the payload.
 * @param {number} payload
 * @param {boolean} masked
 */
export function frame(payload, masked) {
  const length = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
  return 2 + length + (masked ? 4 : 0) + payload;
}

/** What frames a chunk of less than 256 bytes in HTTP/1.1: two digits, CRLF, and CRLF behind it (RFC 9112 §7.1). */
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

/** `en-US,en;q=0.9`, as browsers write their list. */
function languages() {
  return navigator.languages
    .map((language, i) => (i === 0 ? language : `${language};q=${Math.max(0.1, 1 - i / 10)}`))
    .join(',');
}

/** Chromium and its kin name themselves once more, in three fields, to secure origins and loopback. */
function clientHints() {
  const data = navigator.userAgentData;
  if (!data) return {};
  return {
    'sec-ch-ua': data.brands.map(({ brand, version }) => `"${brand}";v="${version}"`).join(', '),
    'sec-ch-ua-mobile': data.mobile ? '?1' : '?0',
    'sec-ch-ua-platform': `"${data.platform}"`,
  };
}
