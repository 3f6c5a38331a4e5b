// The topic as a client sees it: one URL, which the page reads and publishes to with fetch.
//
// All requests use `cache: "no-store"`. A cached response could contain old events, and the browser
// would hide the 304 responses that this page counts.

import { requestHead, responseHead, utf8Length } from './bytes.js';

/** An unsuccessful response: its message, and when or whether to try again. */
export class ResponseError extends Error {
  /** @param {Response} response */
  constructor(response) {
    super(`${response.status} ${response.statusText}`.trim());
    this.status = response.status;
    // Retry-After is in seconds here. If it is a date, the value is 0 and the normal back-off
    // applies.
    this.retryAfter = 1000 * (parseInt(response.headers.get('Retry-After') ?? '', 10) || 0);
    // After most 4xx statuses, the same request would fail again. 408 and 429 are temporary.
    this.isPermanent = response.status < 500 && response.status !== 408 && response.status !== 429;
  }

  /**
   * Creates the error with the server's explanation, if the body has one (RFC 9457,
   * `application/problem+json`).
   * @param {Response} response
   */
  static async withDetail(response) {
    const error = new ResponseError(response);
    try {
      const problem = await response.json();
      const detail = problem.detail ?? problem.title;
      // The page puts the message into a longer sentence, so the detail loses its period.
      if (detail) error.message = `${error.message}: ${detail.replace(/\.$/, '')}`;
    } catch {
      // The body is not JSON, so the message is only the status.
    }
    return error;
  }
}

export class Topic {
  /**
   * @param {string} name
   * @param {string | null} token
   */
  constructor(name, token) {
    this.name = name;
    this.token = token;
    /** The fields of every request. A field keeps the token out of URLs, which end up in logs. */
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /** @param {Record<string, string | number | undefined>} query */
  url(query = {}) {
    const url = new URL(`/topics/${encodeURIComponent(this.name)}`, location.href);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') url.searchParams.set(key, String(value));
    }
    return url;
  }

  /** A script cannot set header fields for a WebSocket handshake, so this URL contains the token. */
  socketUrl(query = {}) {
    const url = this.url({ ...query, access_token: this.token ?? undefined });
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return url;
  }

  /** Requests the topic's current position, `since=now`, where all four lanes start. */
  async now() {
    const response = await fetch(this.url({ since: 'now' }), { headers: this.headers, cache: 'no-store' });
    if (!response.ok) throw await ResponseError.withDetail(response);
    return (await response.json()).next;
  }

  /**
   * Publishes one event.
   * @param {string} data
   * @param {string} event the event's name; empty means `message`
   * @returns {Promise<{ id: string, bytes: number }>} the event's id, and the estimated size of the
   * request and the response
   */
  async publish(data, event) {
    const url = this.url({ event });
    const headers = { ...this.headers, 'Content-Type': 'text/plain;charset=UTF-8' };
    const response = await fetch(url, { method: 'POST', headers, body: data, cache: 'no-store' });
    if (!response.ok) throw await ResponseError.withDetail(response);
    const body = await response.text();
    const { id } = JSON.parse(body);
    return { id, bytes: this.postSize(data, event) + responseHead(response) + body.length };
  }

  /** Estimates the size of a POST that publishes `data`. */
  postSize(data, event = '') {
    const headers = { ...this.headers, 'Content-Type': 'text/plain;charset=UTF-8' };
    const length = utf8Length(data);
    return requestHead('POST', this.url({ event }), headers, length) + length;
  }

  /**
   * Publishes each line as one event, all in one request.
   * @param {string[]} lines
   * @param {string} event
   * @returns {Promise<string[]>} the ids of the events
   */
  async publishLines(lines, event) {
    const headers = { ...this.headers, 'Content-Type': 'application/x-ndjson' };
    const response = await fetch(this.url({ event }), {
      method: 'POST', headers, body: lines.join('\n'), cache: 'no-store',
    });
    if (!response.ok) throw await ResponseError.withDetail(response);
    return (await response.json()).ids;
  }

  /**
   * Returns true if the log has dropped an event after `cursor`. A response with a gap has no ETag,
   * so a HEAD request is enough.
   * @param {string} cursor
   */
  async hasForgotten(cursor) {
    const response = await fetch(this.url({ since: cursor }), {
      method: 'HEAD', headers: this.headers, cache: 'no-store',
    });
    if (!response.ok) throw new ResponseError(response);
    return !response.headers.has('ETag');
  }
}
