/**
 * A person at a browser without a browser: a cookie jar, and pages that are read for their forms. The log-in page works
 * without script, so it works here.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { parse } from 'parse5';
import { CookieJar } from 'tough-cookie';

const elements = function* (node) {
  if (node.tagName) yield node;
  for (const child of node.childNodes ?? []) yield* elements(child);
};
const attribute = (element, name) => element.attrs.find((it) => it.name === name)?.value;
const words = (node) => (node.nodeName === '#text' ? node.value : (node.childNodes ?? []).map(words).join(''));

const fieldOf = (element) => {
  const name = attribute(element, 'name');
  const type = attribute(element, 'type') ?? 'text';
  const off = ['submit', 'button', 'image', 'reset', 'file'].includes(type) || (['checkbox', 'radio'].includes(type) && attribute(element, 'checked') === undefined);
  return name && !off ? [[name, attribute(element, 'value') ?? '']] : [];
};

const formOf = (url) => (form) => {
  const inside = [...elements(form)];
  return {
    from: url,
    action: new URL(attribute(form, 'action') ?? '', url),
    method: (attribute(form, 'method') ?? 'get').toUpperCase(),
    fields: inside.filter((it) => it.tagName === 'input').flatMap(fieldOf),
    names: inside.map((it) => attribute(it, 'name')).filter(Boolean),
  };
};

/** What an answer shows. */
const readPage = ({ status, headers, html }, url) => {
  const all = [...elements(parse(html))];
  return {
    url,
    status,
    headers,
    html,
    text: words(all.find((it) => it.tagName === 'body') ?? { childNodes: [] }).replace(/\s+/g, ' ').trim(),
    forms: all.filter((it) => it.tagName === 'form').map(formOf(url)),
  };
};

export class Visitor {
  #jar = new CookieJar();
  #issuer;
  /** Pages that were shown on the way. */
  shown = 0;

  constructor(issuer) {
    this.#issuer = issuer;
  }

  /** One request, with the cookies and the headers of a browser that goes there. `fetch` would call itself a script (`Sec-Fetch-Mode: cors`). */
  async #send(url, { method = 'GET', body, from } = {}) {
    const site = !from ? 'none' : from.origin === url.origin ? 'same-origin' : 'cross-site';
    const headers = { Accept: 'text/html', 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
    const cookie = await this.#jar.getCookieString(url.href);
    if (cookie) headers.Cookie = cookie;
    if (method !== 'GET') Object.assign(headers, { Origin: from.origin, 'Content-Type': 'application/x-www-form-urlencoded' });
    // A connection each. Apache's module sends more than it announced on pages of errors, which browsers leave alone.
    const request = (url.protocol === 'https:' ? https : http).request(url, { method, headers, agent: false });
    request.on('error', () => {}).end(body?.toString());
    const [incoming] = await once(request, 'response');
    for (const cookie of incoming.headers['set-cookie'] ?? []) await this.#jar.setCookie(cookie, url.href);
    return { status: incoming.statusCode, headers: new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])), html: await text(incoming) };
  }

  /**
   * Goes to an address and on from there until a page wants something or the way leads away: `{left, form?}`, or the page.
   * @param {(url: URL) => boolean} [isAway] by default everything that is not the issuer's; such an address is not asked
   */
  async open(url, isAway = (url) => url.origin !== this.#issuer, request) {
    for (let hop = 0; hop < 20; hop += 1) {
      if (isAway(url)) return { left: url, ...(request?.body && { form: request.body }) };
      const answer = await this.#send(url, request);
      const location = answer.headers.get('location');
      const refresh = /^\s*0;\s*url=(.*)$/i.exec(answer.headers.get('refresh') ?? '')?.[1];
      const next = [301, 302, 303].includes(answer.status) ? location : answer.status === 200 && refresh;
      if (!next) {
        this.shown += 1;
        return readPage(answer, url);
      }
      // A redirect comes from where its request came from, a page that goes on comes from itself.
      request = { from: next === location ? request?.from : url };
      url = new URL(next, url);
    }
    throw new Error(`goes in circles at ${url}`);
  }

  /** Sends a form with these values, by the button that is among them. */
  submit(form, values = {}, isAway) {
    const body = new URLSearchParams(form.fields);
    for (const [name, value] of Object.entries(values)) {
      assert.ok(form.names.includes(name), `the form of ${form.from.pathname} has ${name}, and not only ${form.names}`);
      body.set(name, value);
    }
    assert.equal(form.method, 'POST');
    return this.open(form.action, isAway, { method: 'POST', body, from: form.from });
  }

  /** From an address, or a page, through the log-in and the question of consent, as often as they are asked. */
  async signOn(from, { user, decision = 'allow', isAway } = {}) {
    let at = from instanceof URL ? await this.open(from, isAway) : from;
    for (let step = 0; step < 6 && !at.left; step += 1) {
      const form = (path) => at.forms.find(({ action }) => action.origin === this.#issuer && action.pathname === path);
      const [signIn, consent] = [form('/oauth/sign-in'), form('/oauth/consent')];
      // The answer of `form_post`, which a script sends; the one form of its page.
      const answer = at.forms.length === 1 && at.url.origin === this.#issuer && at.forms[0].action.origin !== this.#issuer && at.forms[0];
      if (signIn && user) at = await this.submit(signIn, { email: user.email, password: user.password }, isAway);
      else if (consent) at = await this.submit(consent, { decision }, isAway);
      else if (answer) at = await this.submit(answer, {}, isAway);
      else return at;
    }
    return at;
  }

  /** As `signOn`, where the way must lead to the client: its address there, and the form if the answer came as one. */
  async signOnTo(redirect, from, options) {
    const at = await this.signOn(from, options);
    assert.ok(at.left, `${at.status} of ${at.url}: ${at.text}`);
    assert.equal(`${at.left.origin}${at.left.pathname}`, redirect);
    return at;
  }
}
