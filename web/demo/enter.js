/** While signed out: log in, register, and a way in for who forgot the password. */
import { byId, el } from './dom.js';
import { EMAIL, NAME, NEW_PASSWORD, form } from './form.js';
import { trouble } from './words.js';

/**
 * @param {{client: import('../token-client.js').TokenClient, service: import('./service.js').Service, mails: import('./mail.js').Mails,
 *   mail?: boolean, demo?: {email: string}, tell: (text: string, kind?: string) => void, begin: (title: string) => void}} page
 */
export const createEnter = ({ client, service, mails, mail, demo, tell, begin }) => {
  const { failed } = service;
  const intro = byId('intro');

  const logIn = form({
    id: 'form-login',
    heading: 'h2',
    title: demo ? 'Log in with an account of your own' : 'Log in',
    button: 'Log in',
    fields: [EMAIL, { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' }],
    failed,
    async send({ email, password }) {
      begin('Log in');
      const before = await mails.before(email);
      try {
        await client.login({ email, password });
        return null;
      } catch (error) {
        const { problem } = /** @type {any} */ (error);
        if (problem === 'email_not_verified') mails.show(email, before, intro);
        return { text: trouble(/** @type {any} */ (error)) };
      }
    },
  });

  const register = form({
    id: 'form-register',
    heading: 'h2',
    title: 'Or make one',
    button: 'Register',
    fields: [NAME, EMAIL, { name: 'password', ...NEW_PASSWORD }],
    failed,
    async send({ userName, email, password }) {
      begin('Register');
      const before = mail ? await mails.before(email) : null;
      const res = await service.post('/register', { userName, email, password });
      const wrong = await service.complaint(res);
      if (wrong) return wrong;
      if (res.status === 202) {
        // Whether there was an account is told by mail alone.
        tell('A mail with a link is on its way; open it, then log in.');
        logIn.elements.email.value = email;
      } else {
        await client.login({ email, password });
      }
      if (mail) mails.show(email, before, intro);
      return null;
    },
  });

  const forgot = form({
    id: 'form-forgot',
    heading: 'h2',
    title: 'Forgot password?',
    button: 'Mail me a link',
    fields: [EMAIL],
    failed,
    async send({ email }) {
      begin('Forgot password');
      const before = await mails.before(email);
      const wrong = await service.mailComplaint(await service.post('/password/forgot', { email }));
      if (wrong) return wrong;
      tell('If there is an account with this address, a mail is on its way.');
      sent.textContent = 'If there is an account with this address, a mail is on its way. Its link leads to a new password.';
      mails.show(email, before, intro);
      return null;
    },
  });
  /** What the status line says as well, but that may be out of sight. */
  const sent = el('p', { class: 'hint' });

  /** Shows one of the two forms, with what was typed into the other. @param {boolean} forgotten */
  const turn = (forgotten) => {
    const [from, to] = forgotten ? [logIn, forgot] : [forgot, logIn];
    lost.hidden = forgotten;
    logIn.hidden = forgotten;
    found.hidden = !forgotten;
    to.elements.email.value = from.elements.email.value;
    sent.textContent = '';
    to.elements.email.focus();
  };
  const lost = el('button', { type: 'button', class: 'quiet', id: 'forgot' }, 'Forgot password?');
  const back = el('button', { type: 'button', class: 'quiet', id: 'forgot-back' }, 'Back to the log-in');
  const found = el('div', { hidden: true }, forgot, sent, back);
  lost.addEventListener('click', () => turn(true));
  back.addEventListener('click', () => turn(false));

  const forms = el('div', { class: 'forms' }, el('div', {}, logIn, ...(mail ? [lost, found] : [])), register);
  byId('enter').append(demo ? el('details', {}, el('summary', {}, 'Use an account of your own'), forms) : el('div', { class: 'card' }, forms));
};
