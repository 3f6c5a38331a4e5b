// The topic as a client sees it: one address, asked and published to with fetch.
//
// Everything here is `cache: "no-store"`: a poll that a cache answers would show
// yesterday's news, and the browser would hide the 304s that this page wants to count.

import { requestHead, responseHead, utf8Length } from './bytes.js';

/** An answer that is no success: what to tell, and how long the server wants to be left alone. */
export class Refused extends Error {
  /** @param {Response} response */
  constructor(response) {
    super(`${response.status} ${response.statusText}`.trim());
    this.status = response.status;
    // Retry-After is seconds here; its other form, a date, is left to the ordinary back-off.
    this.retryAfter = 1000 * (parseInt(response.headers.get('Retry-After') ?? '', 10) || 0);
    // 4xx says that the request is at fault: asking again would get the same. Two of them are passing.
    this.final = response.status < 500 && response.status !== 408 && response.status !== 429;
  }

  /**
   * The same, with the server's own explanation where it gave one (RFC 9457, `application/problem+json`).
   * @param {Response} response
   */
  static async explained(response) {
    const refused = new Refused(response);
    try {
      const problem = await response.json();
      const said = problem.detail ?? problem.title; // a sentence; here it becomes part of one
      if (said) refused.message = `${refused.message}: ${said.replace(/\.$/, '')}`;
    } catch {
      // No JSON: the status has to do.
    }
    return refused;
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
    /** Headers that every fetch carries. A header keeps the token out of URLs, which end up in logs. */
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

  /** A WebSocket's handshake can be given no headers by a script, so here the token must go in the URL. */
  socketUrl(query = {}) {
    const url = this.url({ ...query, access_token: this.token ?? undefined });
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return url;
  }

  /** The id of this moment: what `since=now` stands for. Where all four lanes begin. */
  async now() {
    const response = await fetch(this.url({ since: 'now' }), { headers: this.headers, cache: 'no-store' });
    if (!response.ok) throw await Refused.explained(response);
    return (await response.json()).next;
  }

  /**
   * Publishes one event.
   * @param {string} data
   * @param {string} event its name; empty is `message`
   * @returns {Promise<{ id: string, bytes: number }>} `bytes`: about what it cost, there and back
   */
  async publish(data, event) {
    const url = this.url({ event });
    const headers = { ...this.headers, 'Content-Type': 'text/plain;charset=UTF-8' };
    const response = await fetch(url, { method: 'POST', headers, body: data, cache: 'no-store' });
    if (!response.ok) throw await Refused.explained(response);
    const answer = await response.text();
    const { id } = JSON.parse(answer);
    return { id, bytes: this.postSize(data, event) + responseHead(response) + answer.length };
  }

  /** About how many bytes the page would send to publish `data` with a POST. */
  postSize(data, event = '') {
    const headers = { ...this.headers, 'Content-Type': 'text/plain;charset=UTF-8' };
    const length = utf8Length(data);
    return requestHead('POST', this.url({ event }), headers, length) + length;
  }

  /**
   * Publishes many events in one request: each line is one.
   * @param {string[]} lines
   * @param {string} event
   * @returns {Promise<string[]>} their ids
   */
  async publishLines(lines, event) {
    const headers = { ...this.headers, 'Content-Type': 'application/x-ndjson' };
    const response = await fetch(this.url({ event }), {
      method: 'POST', headers, body: lines.join('\n'), cache: 'no-store',
    });
    if (!response.ok) throw await Refused.explained(response);
    return (await response.json()).ids;
  }

  /**
   * Whether the log has let go of what comes after `cursor`. An answer with a gap has no ETag, so the head says it.
   * @param {string} cursor
   */
  async hasForgotten(cursor) {
    const response = await fetch(this.url({ since: cursor }), {
      method: 'HEAD', headers: this.headers, cache: 'no-store',
    });
    if (!response.ok) throw new Refused(response);
    return !response.headers.has('ETag');
  }
}
