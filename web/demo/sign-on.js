/**
 * The way in that other programs have: to the log-in page and back, by redirects. The page goes away on that way and
 * comes back as a new one, so what the diagram had begun lies in a note of this tab until then.
 */
import * as diagram from './diagram.js';
import { byId } from './dom.js';
import { redirectTrouble } from './words.js';

const TITLE = 'Sign in with the log-in page';
const NOTE = 'demo-sign-on';

const asked = () => diagram.show({ lane: 'auth', back: false, label: 'GET /oauth/authorize' });

/** When the tab went to the log-in page, in seconds; `NaN` if it did not. Tells it once. */
const takeNote = () => {
  const note = sessionStorage.getItem(NOTE);
  sessionStorage.removeItem(NOTE);
  return Number(note ?? NaN);
};

/**
 * @param {{client: import('../token-client.js').TokenClient, demoClient?: {id: string, scope: string},
 *   tell: (text: string, kind?: string) => void, begin: (title: string) => void}} page
 */
export const createSignOn = ({ client, demoClient, tell, begin }) => {
  const button = byId('sign-on');

  button.addEventListener('click', async () => {
    if (!demoClient) return;
    begin(TITLE);
    asked();
    try {
      sessionStorage.setItem(NOTE, String(Date.now() / 1000));
      await client.loginWithRedirect({ clientId: demoClient.id, scope: demoClient.scope });
    } catch {
      tell('The log-in page needs a browser that keeps something for this tab, and https or localhost.', 'bad');
    }
  });

  return {
    /** @param {unknown} session */
    draw(session) {
      button.hidden = !demoClient || !!session;
    },

    /**
     * Signs in with what the log-in page sent, and says what became of it.
     * @returns {Promise<'signed in' | 'refused' | null>} `null`: this is no return from there
     */
    async finish() {
      const at = takeNote();
      const query = new URLSearchParams(location.search);
      const error = query.get('error');
      if (at && (error || query.has('code'))) {
        diagram.begin(TITLE, at);
        asked();
        diagram.remark('The log-in page asks who you are, unless this browser is signed on. It alone sees the password.');
        diagram.show({ lane: 'auth', back: true, label: error ? '302' : '302 code', note: error ?? undefined, good: !error });
      }
      try {
        return (await client.handleRedirect()) && 'signed in';
      } catch (fault) {
        tell(redirectTrouble(/** @type {any} */ (fault)), error === 'access_denied' ? 'warn' : 'bad');
        return 'refused';
      }
    },
  };
};
