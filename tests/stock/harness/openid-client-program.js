/** A program with openid-client 6, as its documentation has one, and a receiver of its own by a JOSE library. */
import express from 'express';
import session from 'express-session';
import * as client from 'openid-client';
import { verifiedLogoutToken } from './logout-token.js';
import { isHttps } from './services.js';

/** Registered with these words beside `--kind`. */
export const programWords = (url) => ['--redirect', `${url}/callback`, '--logout-redirect', `${url}/goodbye`, '--backchannel', `${url}/backchannel`];

/**
 * Puts it on an express application.
 * @returns {Promise<{config: client.Configuration, told: object[], faults: Error[]}>} the claims of logout tokens that were
 *   taken, and why others were not
 */
export const mountOpenidClient = async (server, { id, url, services, alg = 'RS256' }) => {
  const config = await client.discovery(new URL(services.issuer), id, { id_token_signed_response_alg: alg }, client.ClientSecretBasic(services.secrets[id]), {
    execute: isHttps ? [] : [client.allowInsecureRequests],
  });
  const [told, faults] = [[], []];
  const isOver = (sid) => told.some((claims) => claims.sid === sid);

  server.post('/backchannel', express.urlencoded({ extended: false }), async (request, answer) => {
    try {
      told.push(await verifiedLogoutToken(services.issuer, request.body.logout_token, { client: id, alg }));
      answer.status(200).set('Cache-Control', 'no-store').end();
    } catch (error) {
      faults.push(error);
      answer.status(400).json({ error: 'invalid_request' });
    }
  });
  server.use(session({ secret: 'a secret of the application', resave: false, saveUninitialized: false, name: id }));
  const logIn = (parameters) => async (request, answer) => {
    const [verifier, state] = [client.randomPKCECodeVerifier(), client.randomState()];
    request.session.asked = { verifier, state };
    const challenge = { code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' };
    answer.redirect(client.buildAuthorizationUrl(config, { redirect_uri: `${url}/callback`, scope: 'openid profile email', state, ...challenge, ...parameters }).href);
  };
  server.get('/log-in', logIn({}));
  server.get('/silent', logIn({ prompt: 'none' }));
  server.get('/callback', async (request, answer) => {
    const { verifier, state } = request.session.asked;
    try {
      const tokens = await client.authorizationCodeGrant(config, new URL(url + request.originalUrl), { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true });
      const { sub, email, sid } = tokens.claims();
      request.session.user = { sub, email, sid, accessToken: tokens.access_token, refreshToken: tokens.refresh_token, idToken: tokens.id_token };
      answer.redirect('/');
    } catch (error) {
      answer.status(401).json({ error: error.error ?? String(error) });
    }
  });
  server.get('/', (request, answer) => {
    const { user } = request.session;
    return user && !isOver(user.sid) ? answer.json(user) : answer.status(401).send('nobody');
  });
  // RP-Initiated Logout 1.0; without `hint` as a program that keeps no id_token.
  const logOut = (withHint) => (request, answer) => {
    const state = request.query.state ?? client.randomState();
    const hint = withHint && request.session.user ? { id_token_hint: request.session.user.idToken } : {};
    const to = client.buildEndSessionUrl(config, { post_logout_redirect_uri: `${url}/goodbye`, state, ...hint });
    request.session.destroy(() => answer.redirect(to.href));
  };
  server.get('/log-out', logOut(true));
  server.get('/log-out-unshown', logOut(false));
  server.get('/goodbye', (_request, answer) => answer.send('Goodbye.'));
  return { config, told, faults };
};
