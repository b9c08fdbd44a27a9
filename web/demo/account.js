/** Forms: log in and register while signed out; name, e-mail, password and the end of the account while signed in. */
import { byId, el } from './dom.js';
import { trouble } from './words.js';

/** @typedef {{name: string, label: string, type?: string, autocomplete?: string, minLength?: number, value?: string}} Field */

/**
 * A form with labelled fields, one button and a line for what went wrong.
 * @param {{id: string, title: string, heading?: 'h2' | 'h3', button: string, danger?: boolean, fields: Field[], send: (values: any) => Promise<string | null>}} options
 */
const form = ({ id, title, heading = 'h3', button, danger, fields, send }) => {
  const problem = el('p', { class: 'problem', id: `${id}-problem`, role: 'alert' });
  const submit = el('button', { type: 'submit', class: danger ? 'small danger' : 'small solid' }, button);
  const inputs = fields.map(({ name, label, ...rest }) => {
    const input = el('input', { id: `${id}-${name}`, name, type: 'text', required: true, 'aria-describedby': problem.id, ...rest });
    return el('p', { class: 'field' }, el('label', { htmlFor: input.id }, label), input);
  });
  // For password managers: whose password it is. It has no name, so it is not sent.
  const owner = el('input', { type: 'text', autocomplete: 'username', class: 'owner', hidden: true });
  const element = el('form', { id, class: 'form' }, el(heading, {}, title), fields.some(({ name }) => name === 'email') ? null : owner, ...inputs, problem, submit);
  element.addEventListener('submit', async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (submit.getAttribute('aria-busy')) return;
    submit.setAttribute('aria-busy', 'true');
    problem.textContent = '';
    const wrong = await send(Object.fromEntries(new FormData(element))).catch((/** @type {any} */ error) => trouble(error));
    submit.removeAttribute('aria-busy');
    if (wrong) problem.textContent = wrong;
    else for (const input of element.querySelectorAll('input[type=password]')) input.value = '';
  });
  return element;
};

const EMAIL = { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username' };
const NEW_PASSWORD = { label: 'Password, 8 characters or more', type: 'password', autocomplete: 'new-password', minLength: 8 };
const CURRENT = { name: 'currentPassword', label: 'Current password', type: 'password', autocomplete: 'current-password' };

/**
 * @param {{client: import('../token-client.js').TokenClient, authority: string, send: typeof fetch, demo?: {email: string},
 *   tell: (text: string, kind?: string) => void, begin: (title: string) => void}} page
 */
export const createAccount = ({ client, authority, send, demo, tell, begin }) => {
  const account = `${authority}/api/account`;
  const headers = { 'Content-Type': 'application/json' };

  /** What the service says against it; `null` when it is done. @param {Response} res */
  const complaint = async (res) => {
    if (res.ok) return null;
    const problem = await res.json().catch(() => ({}));
    return trouble({ ...problem, status: res.status, retryAfter: Number(res.headers.get('Retry-After')) });
  };

  /** @param {string} method @param {string} path @param {any} body */
  const change = (method, path, body) => client.fetch(account + path, { method, headers, body: JSON.stringify(body) });

  const logIn = form({
    id: 'form-login',
    heading: 'h2',
    title: demo ? 'Log in with an account of your own' : 'Log in',
    button: 'Log in',
    fields: [EMAIL, { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' }],
    async send({ email, password }) {
      begin('Log in');
      await client.login({ email, password });
      return null;
    },
  });

  const register = form({
    id: 'form-register',
    heading: 'h2',
    title: 'Or make one',
    button: 'Register',
    fields: [{ name: 'userName', label: 'Name', autocomplete: 'name' }, EMAIL, { name: 'password', ...NEW_PASSWORD }],
    async send({ userName, email, password }) {
      begin('Register');
      const res = await send(`${account}/register`, { method: 'POST', headers, body: JSON.stringify({ userName, email, password }) });
      const wrong = await complaint(res);
      if (!wrong) await client.login({ email, password });
      return wrong;
    },
  });

  const profile = form({
    id: 'form-profile',
    title: 'Name and e-mail',
    button: 'Save',
    fields: [{ name: 'userName', label: 'Name', autocomplete: 'name' }, EMAIL, CURRENT],
    async send(values) {
      begin('Change name and e-mail');
      const wrong = await complaint(await change('PATCH', '', values));
      if (wrong) return wrong;
      await client.refresh();
      tell('Saved. The name travels in the token, so the page turned it in for a new one.');
      return null;
    },
  });

  const password = form({
    id: 'form-password',
    title: 'Password',
    button: 'Change password',
    fields: [CURRENT, { name: 'newPassword', ...NEW_PASSWORD, label: 'New password, 8 characters or more' }],
    async send(values) {
      begin('Change the password');
      const res = await change('POST', '/password', values);
      const wrong = await complaint(res);
      if (wrong) return wrong;
      client.adopt(await res.json());
      tell('The password is changed. Every session ended with it; this tab got a new one.');
      return null;
    },
  });

  const remove = form({
    id: 'form-delete',
    title: 'Delete this account',
    button: 'Delete for ever',
    danger: true,
    fields: [CURRENT],
    async send(values) {
      begin('Delete the account');
      const wrong = await complaint(await change('POST', '/deletion', values));
      if (wrong) return wrong;
      await client.logout();
      tell('The account is gone, with everything that belonged to it.');
      return null;
    },
  });

  const enter = byId('enter');
  const forms = el('div', { class: 'forms' }, logIn, register);
  enter.append(demo ? el('details', {}, el('summary', {}, 'Use an account of your own'), forms) : el('div', { class: 'card' }, forms));
  byId('account-forms').append(profile, password, remove);

  /** Shows the forms that fit. */
  const draw = () => {
    const { session } = client;
    const isDemo = !!demo && session?.claims.email === demo.email;
    enter.hidden = !!session;
    byId('account').hidden = !session;
    byId('account-hint').textContent = isDemo
      ? 'This is the demo account, which stays as it is. Log out and register one of your own to change these.'
      : '';
    byId('account-forms').hidden = isDemo;
    for (const owner of document.querySelectorAll('.owner')) /** @type {HTMLInputElement} */ (owner).value = session?.claims.email ?? '';
    for (const name of ['userName', 'email']) {
      const input = profile.elements[name];
      if (document.activeElement !== input) input.value = (name === 'email' ? session?.claims.email : session?.claims.name) ?? '';
    }
  };

  return { draw };
};
