/** A single-page application with oidc-client-ts 3, of another site than the issuer's: its pages, and the server of them. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { listen } from './services.js';

const library = readFileSync(join(dirname(createRequire(import.meta.url).resolve('oidc-client-ts')), '../browser/oidc-client-ts.min.js'));

/** Every page of the application: the library with its settings, and what the page does by itself. */
const page = (settings, own) => `<!doctype html><html lang="en"><title>An application</title><link rel="icon" href="data:,">
<script src="/oidc-client-ts.js"></script>
<script>
  window.manager = new oidc.UserManager({
    client_id: 'spa',
    redirect_uri: location.origin + '/callback',
    popup_redirect_uri: location.origin + '/popup',
    silent_redirect_uri: location.origin + '/silent',
    post_logout_redirect_uri: location.origin + '/goodbye',
    popup_post_logout_redirect_uri: location.origin + '/gone',
    scope: 'openid profile email',
    loadUserInfo: true,
    automaticSilentRenew: false,
    revokeTokensOnSignout: false,
    userStore: new oidc.WebStorageStateStore({ store: localStorage }),
    ...${JSON.stringify(settings)},
  });
  const said = (promise) => promise.then((user) => ({ email: user && user.profile.email }), (error) => ({ error: error.error || error.message }));
  ${own}
</script>`;

const pages = {
  '/': '',
  '/goodbye': '',
  '/callback': 'window.done = Promise.all([said(manager.signinCallback())]);',
  // An effect under React's StrictMode: it runs twice in a row.
  '/strict': 'window.done = Promise.all([said(manager.signinRedirectCallback()), said(manager.signinRedirectCallback())]);',
  '/popup': 'manager.signinPopupCallback();',
  '/silent': 'manager.signinSilentCallback();',
  '/gone': 'manager.signoutCallback();',
};

/** Where its log-ins and its log-outs come back, as words for `client add`. */
export const singlePageWords = (url) => [
  ...['/callback', '/strict', '/popup', '/silent'].flatMap((path) => ['--redirect', url + path]),
  ...['/goodbye', '/gone'].flatMap((path) => ['--logout-redirect', url + path]),
];

/** Serves it: `{url, close}`. @param {() => object} settings the library's, once they are known */
export const listenSinglePage = async (settings) => {
  const app = await listen((request, answer) => {
    const { pathname } = new URL(request.url, app.url);
    if (pathname === '/oidc-client-ts.js') return answer.writeHead(200, { 'Content-Type': 'text/javascript' }).end(library);
    const own = pages[pathname];
    return own === undefined ? answer.writeHead(404).end() : answer.writeHead(200, { 'Content-Type': 'text/html' }).end(page(settings(), own));
  });
  return app;
};
