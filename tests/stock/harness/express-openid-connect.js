/** A program with express-openid-connect: its middleware, and pages that say who is signed in. */
import session from 'express-session';
import { decodeJwt } from 'jose';
import middleware from 'express-openid-connect';

/** Registered with these words beside `--kind`. */
export const expressWords = (url) => ['--redirect', `${url}/callback`, '--logout-redirect', url, '--backchannel', `${url}/backchannel-logout`];

/**
 * Puts it on an express application.
 * @param {object} options the library's own, beside what every program has
 * @returns {{told: {sub: string, sid: string, token: string, status: number}[]}} of whom its receiver was told, and what it answered
 */
export const mountExpressOpenidConnect = (server, { id, url, services, options = {} }) => {
  const told = [];
  server.use('/backchannel-logout', (request, answer, next) => {
    answer.once('finish', () => {
      const { logout_token: token } = request.body;
      const { sub, sid } = decodeJwt(token);
      told.push({ sub, sid, token, status: answer.statusCode });
    });
    next();
  });
  server.use(
    middleware.auth({
      issuerBaseURL: services.issuer,
      baseURL: url,
      clientID: id,
      clientSecret: services.secrets[id],
      secret: 'a secret of the application, thirty-two letters long',
      authorizationParams: { response_type: 'code', scope: 'openid profile email' },
      authRequired: false,
      idpLogout: true,
      // Programs of one host share its cookies, whatever their port.
      session: { name: id, store: new session.MemoryStore() },
      transactionCookie: { name: `${id}-verification` },
      backchannelLogout: true,
      ...options,
    }),
  );
  server.get('/', (request, answer) => {
    const { oidc } = request;
    if (!oidc.isAuthenticated()) return answer.status(401).send('nobody');
    return answer.json({ sub: oidc.user.sub, email: oidc.user.email, sid: oidc.idTokenClaims.sid, accessToken: oidc.accessToken.access_token, refreshToken: oidc.refreshToken });
  });
  server.get('/refreshed', async (request, answer) => answer.json(await request.oidc.accessToken.refresh()));
  server.get('/silent', (_request, answer) => answer.oidc.silentLogin({ returnTo: '/' }));
  server.get('/userinfo', async (request, answer) => answer.json(await request.oidc.fetchUserInfo()));
  server.use((error, _request, answer, _next) => answer.status(error.status ?? 500).json({ name: error.name, message: error.message, code: error.cause?.error ?? error.error }));
  return { told };
};
