/** passport-openidconnect in a small express application. It knows no PKCE, so its client is registered without. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OpenIDConnectStrategy from 'passport-openidconnect';
import { listen, scheme, startServices } from './harness/services.js';
import { Visitor } from './harness/visitor.js';

let app;
let services;

before(async () => {
  const server = express();
  app = await listen(server);
  const callbackURL = `${app.url}/callback`;
  services = await startServices({ clients: { passport: ['--kind', 'web', '--redirect', callbackURL, '--logout-redirect', `${app.url}/goodbye`, '--without-pkce'] } });
  const metadata = await (await fetch(`${services.issuer}/.well-known/openid-configuration`)).json();

  const local = new passport.Passport();
  const options = {
    issuer: metadata.issuer,
    authorizationURL: metadata.authorization_endpoint,
    tokenURL: metadata.token_endpoint,
    userInfoURL: metadata.userinfo_endpoint,
    clientID: 'passport',
    clientSecret: services.secrets.passport,
    callbackURL,
    scope: ['profile', 'email'],
    nonce: true,
    skipUserProfile: false,
  };
  local.use(
    new OpenIDConnectStrategy(options, (issuer, profile, context, idToken, accessToken, refreshToken, done) =>
      done(null, { issuer, profile, idToken, accessToken, refreshToken }),
    ),
  );
  local.serializeUser((user, done) => done(null, user));
  local.deserializeUser((user, done) => done(null, user));

  server.use(session({ secret: 'a secret of the application', resave: false, saveUninitialized: false, name: 'app' }));
  server.use(local.initialize());
  server.use(local.session());
  server.get('/log-in', local.authenticate('openidconnect'));
  server.get('/log-in-none', local.authenticate('openidconnect', { prompt: 'none' }));
  server.get('/callback', local.authenticate('openidconnect', { failureRedirect: '/failed' }), (_request, answer) => answer.redirect('/me'));
  server.get('/failed', (_request, answer) => answer.status(401).send('not logged in'));
  server.get('/me', (request, answer) => (request.user ? answer.json(request.user) : answer.status(401).send('nobody')));
  // The library has no word for it: RP-Initiated Logout 1.0 by hand.
  server.get('/log-out', (request, answer, next) => {
    const to = new URL(metadata.end_session_endpoint);
    to.search = new URLSearchParams({ id_token_hint: request.user.idToken, post_logout_redirect_uri: `${app.url}/goodbye` });
    request.logout((error) => (error ? next(error) : answer.redirect(to.href)));
  });
  server.get('/goodbye', (_request, answer) => answer.send('Goodbye.'));
  server.use((error, _request, answer, _next) => answer.status(500).json({ name: error.name, code: error.code, message: error.message }));
});
after(() => {
  app?.close();
  services?.close();
});

const isAway = () => false;
const named = (name, body) => test(`${scheme}: passport-openidconnect: ${name}`, body);

named('a log-in with userinfo makes the application’s session', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const end = await visitor.signOn(new URL(`${app.url}/log-in`), { user, isAway });
  assert.equal(end.url.href, `${app.url}/me`, end.html);
  const found = JSON.parse(end.html);
  assert.equal(found.issuer, services.issuer);
  assert.equal(found.profile.id, user.id);
  assert.equal(found.profile.displayName, user.userName);
  assert.deepEqual(found.profile.emails, [{ value: user.email }]);
  assert.ok(found.idToken);

  // The refresh that `oauth`, the library below, does: the secret is in the body.
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: found.refreshToken, client_id: 'passport', client_secret: services.secrets.passport });
  const answer = await fetch(`${services.issuer}/oauth/token`, { method: 'POST', body });
  assert.equal(answer.status, 200);
});

named('who says no is not logged in', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const end = await visitor.signOn(new URL(`${app.url}/log-in`), { user, decision: 'deny', isAway });
  assert.equal(end.url.pathname, '/failed');
  assert.equal((await visitor.open(new URL(`${app.url}/me`), isAway)).status, 401);
});

named('login_required is an error of the strategy', async () => {
  const end = await new Visitor(services.issuer).open(new URL(`${app.url}/log-in-none`), isAway);
  assert.equal(end.status, 500);
  assert.equal(JSON.parse(end.html).code, 'login_required');
});

named('the back button brings a used code: an error, and the session stays', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  let callback;
  const watched = (url) => {
    if (url.href.startsWith(`${app.url}/callback`)) callback = url;
    return false;
  };
  await visitor.signOn(new URL(`${app.url}/log-in`), { user, isAway: watched });
  const again = await visitor.open(callback, isAway);
  assert.notEqual(again.status, 200);
  const found = JSON.parse((await visitor.open(new URL(`${app.url}/me`), isAway)).html);
  const info = await fetch(`${services.issuer}/oauth/userinfo`, { headers: { Authorization: `Bearer ${found.accessToken}` } });
  assert.equal(info.status, 200);
});

named('a redirect to the end_session_endpoint signs out at Keyturn and comes back', async () => {
  const [user, visitor] = [await services.register(), new Visitor(services.issuer)];
  const found = JSON.parse((await visitor.signOn(new URL(`${app.url}/log-in`), { user, isAway })).html);
  const end = await visitor.open(new URL(`${app.url}/log-out`), isAway);
  assert.equal(end.url.href, `${app.url}/goodbye`, end.text);
  assert.equal((await visitor.open(new URL(`${app.url}/me`), isAway)).status, 401);
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: found.refreshToken, client_id: 'passport', client_secret: services.secrets.passport });
  const answer = await fetch(`${services.issuer}/oauth/token`, { method: 'POST', body });
  assert.equal((await answer.json()).error, 'invalid_grant');
  const silent = await visitor.open(new URL(`${app.url}/log-in-none`), isAway);
  assert.equal(JSON.parse(silent.html).code, 'login_required');
});
