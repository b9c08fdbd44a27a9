// What a user's TypeScript does with the packed module: everything of the API once, under `strict`.
import { TokenError, createTokenClient, decode, type Claims, type Session, type TokenClient } from '@keyturn/token-client';

const [authority = '', api = '', email = '', password = ''] = process.argv.slice(2);

const memory = new Map<string, string>();
const client: TokenClient = createTokenClient({
  authority,
  api: [api],
  timeout: 5000,
  locks: null,
  storage: {
    getItem: (key) => memory.get(key) ?? null,
    setItem: (key, value) => void memory.set(key, value),
    removeItem: (key) => void memory.delete(key),
  },
});

const said: string[] = [];
const stop = client.on('signedOut', ({ reason, remote }) => said.push(`${reason} ${remote}`));
client.on('error', ({ error }) => said.push(error.code));
// @ts-expect-error there is no such event
client.on('signedoff', () => {});
// @ts-expect-error the session cannot be assigned
const assign = () => (client.session = null);
void assign;

// An app's half, which needs a page.
const app = async (): Promise<Session | null> => {
  await client.loginWithRedirect({ clientId: 'spa', scope: 'openid email', returnTo: '/', prompt: 'login', loginHint: email, uiLocales: 'zh', maxAge: 60 });
  // @ts-expect-error whose log-in is it?
  await client.loginWithRedirect({ scope: 'openid' });
  await client.logout({ redirect: true });
  await client.logout({ redirect: 'https://app.test/bye' });
  return client.handleRedirect().catch((error: TokenError) => (error.reason === 'access_denied' ? null : Promise.reject(error)));
};
void app;
createTokenClient({ issuer: authority, paths: { authorize: '/authorize', token: '/token', revoke: '/revoke', endSession: '/end' } }).close();

const refused: unknown = await client.login({ email, password: `not ${password}` }).catch((error: unknown) => error);
if (!(refused instanceof TokenError) || refused.code !== 'refused') throw new Error('a wrong password was not refused');

const session: Session = await client.login({ email, password });
const claims: Claims = session.claims;
const name: string | undefined = decode(session.accessToken).name;
// The same signature as the platform's, so it goes wherever that goes.
const fetchLike: typeof fetch = client.fetch;
const response: Response = await fetchLike(new URL('/api/home', api), { headers: { Accept: 'text/plain' } });
const today: string = await response.text();
const next: Session = await client.refresh();
await client.logout();
stop();
client.close();
console.log(JSON.stringify({ sub: claims.sub, name, status: response.status, today, turned: next.accessToken !== session.accessToken, out: client.session, said }));
