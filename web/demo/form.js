/** A form: labelled fields, its buttons, a line for what went wrong and one for what came of it. */
import { el } from './dom.js';

/**
 * What is against it: in words, and the `autocomplete` of the field that it is about.
 * @typedef {{text: string, at?: string}} Complaint
 */
/** @typedef {{name: string, label: string, type?: string, autocomplete?: string, minLength?: number}} Field */

/**
 * `send` gets the values and the name of the button, if it has one; it gives what is against it, or `null`, and rejects with what the client does.
 * @param {{id: string, title: string, heading?: 'h2' | 'h3', button: string, danger?: boolean, fields: Field[],
 *   send: (values: any, pressed: string) => Promise<Complaint | null>, failed: (error: any) => Complaint}} options
 */
export const form = ({ id, title, heading = 'h3', button, danger, fields, send, failed }) => {
  const problem = el('p', { class: 'problem', id: `${id}-problem`, role: 'alert' });
  const submit = el('button', { type: 'submit', class: danger ? 'small danger' : 'small solid' }, button);
  const inputs = fields.map(({ name, label, ...rest }) => {
    const input = el('input', { id: `${id}-${name}`, name, type: 'text', required: true, 'aria-describedby': problem.id, ...rest });
    return el('p', { class: 'field' }, el('label', { htmlFor: input.id }, label), input);
  });
  // For password managers: whose password it is. It has no name, so it is not sent.
  const owner = el('input', { type: 'text', autocomplete: 'username', class: 'owner', hidden: true });
  const element = el('form', { id, class: 'form' }, el(heading, {}, title), fields.some(({ name }) => name === 'email') ? null : owner, ...inputs, problem, el('p', { class: 'buttons' }, submit));

  /** @param {Complaint | null} wrong */
  const say = (wrong) => {
    problem.textContent = wrong?.text ?? '';
    for (const input of element.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
    const at = wrong?.at && element.querySelector(`input[autocomplete="${wrong.at}"]`);
    at?.setAttribute('aria-invalid', 'true');
    at?.focus();
  };

  element.addEventListener('submit', async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (submit.getAttribute('aria-busy')) return;
    submit.setAttribute('aria-busy', 'true');
    say(null);
    const pressed = /** @type {HTMLButtonElement | null} */ (event.submitter)?.name ?? '';
    const wrong = await send(Object.fromEntries(new FormData(element)), pressed).catch(failed);
    submit.removeAttribute('aria-busy');
    if (wrong) say(wrong);
    else for (const input of element.querySelectorAll('input[type=password]')) input.value = '';
  });
  return element;
};

export const NAME = { name: 'userName', label: 'Name', autocomplete: 'name' };
export const EMAIL = { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username' };
export const NEW_PASSWORD = { label: 'Password, 8 characters or more', type: 'password', autocomplete: 'new-password', minLength: 8 };
export const CURRENT = { name: 'currentPassword', label: 'Current password', type: 'password', autocomplete: 'current-password' };
