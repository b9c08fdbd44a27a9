/** The account of who is signed in: its address, and the forms for name, e-mail, password and its end. */
import { byId, el } from './dom.js';
import { CURRENT, EMAIL, NAME, NEW_PASSWORD, form } from './form.js';

/** @typedef {{id: string, userName: string, email: string, emailVerified?: boolean, pendingEmail?: string}} Account */

/**
 * @param {{client: import('../token-client.js').TokenClient, service: import('./service.js').Service, mails: import('./mail.js').Mails,
 *   mail?: boolean, demo?: {email: string}, tell: (text: string, kind?: string) => void, begin: (title: string) => void}} page
 */
export const createAccount = ({ client, service, mails, mail, demo, tell, begin }) => {
  const { failed } = service;
  const card = byId('account');
  const address = byId('account-address');

  /** As the service told it last. @type {Account | null} */
  let known = null;
  /** Who was drawn last: what another one typed is not his. @type {unknown} */
  let drawn;

  /** What is known of who is signed in now. */
  const own = () => (known && known.id === client.session?.claims.sub ? known : null);

  const profile = form({
    id: 'form-profile',
    title: 'Name and e-mail',
    button: 'Save',
    fields: [NAME, EMAIL, CURRENT],
    failed,
    async send({ userName, email, currentPassword }, pressed) {
      const present = own()?.email ?? client.session?.claims.email;
      if (pressed === 'back') {
        begin('Take the new address back');
        const wrong = await service.complaint(await service.ask('PATCH', '', { email: present, currentPassword }));
        if (wrong) return wrong;
        mails.close();
        await settled();
        profile.elements.email.focus();
        tell(`Taken back: the address stays ${present}. The link that was mailed opens nothing any more.`);
        return null;
      }
      begin('Change name and e-mail');
      // The present address, sent again, would take back the one that waits.
      const moves = email !== present;
      const before = moves && mail ? await mails.before(email) : null;
      const res = await service.ask('PATCH', '', { userName, currentPassword, ...(moves && { email }) });
      const wrong = await (moves && mail ? service.mailComplaint(res) : service.complaint(res));
      if (wrong) return wrong;
      const { pendingEmail } = await res.json();
      await client.refresh();
      await settled();
      if (moves && pendingEmail) {
        tell(`Waiting for ${pendingEmail}: open the link that was sent there. Until then the address stays ${present}.`);
        mails.show(pendingEmail, before, card);
      } else {
        tell('Saved. The name travels in the token, so the page turned it in for a new one.');
      }
      return null;
    },
  });

  /** There while a new address waits. */
  const back = el('button', { type: 'submit', class: 'small', name: 'back' }, 'Take the new address back');

  const password = form({
    id: 'form-password',
    title: 'Password',
    button: 'Change password',
    fields: [CURRENT, { name: 'newPassword', ...NEW_PASSWORD, label: 'New password, 8 characters or more' }],
    failed,
    async send(values) {
      begin('Change the password');
      const res = await service.ask('POST', '/password', values);
      const wrong = await service.complaint(res);
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
    failed,
    async send(values) {
      begin('Delete the account');
      const wrong = await service.complaint(await service.ask('POST', '/deletion', values));
      if (wrong) return wrong;
      await client.logout();
      tell('The account is gone, with everything that belonged to it.');
      return null;
    },
  });
  byId('account-forms').append(profile, password, remove);

  /** Sends the link once more, to the address that waits for it. */
  const sendAgain = async () => {
    const to = own()?.pendingEmail ?? own()?.email;
    if (!to) return;
    begin('Send the link again');
    try {
      const before = await mails.before(to);
      const wrong = await service.mailComplaint(await service.ask('POST', '/email/verification'));
      if (wrong) return tell(wrong.text, 'warn');
      tell(`A mail with a link is on its way to ${to}.`);
      mails.show(to, before, card);
    } catch (error) {
      tell(`${failed(error).text} You are still signed in.`, 'bad');
    }
  };
  // One for both lines, so that it keeps the focus when they are drawn again.
  const again = el('button', { type: 'button', class: 'small', id: 'send-again' }, 'Send the link again');
  again.addEventListener('click', sendAgain);

  /** @param {Account | null} account @param {boolean} isDemo */
  const drawAddress = (account, isDemo) => {
    const pending = mail ? account?.pendingEmail : undefined;
    const proven = account?.emailVerified;
    address.hidden = !account;
    byId('account-email').textContent = account?.email ?? '';
    byId('account-state').textContent = proven ? 'verified' : 'not verified';
    byId('account-state').className = `state ${proven ? 'proven' : ''}`;
    byId('account-pending').textContent = pending ? `Waiting for ${pending}: open the link that was sent there.` : '';
    again.hidden = !mail || isDemo || (!pending && proven !== false);
    if (!again.parentElement) address.append(again);
    if (!pending) back.remove();
    else if (!back.parentElement) profile.querySelector('.buttons').append(back);
  };

  /** Shows what fits. */
  const draw = () => {
    const { session } = client;
    const isDemo = !!demo && session?.claims.email === demo.email;
    if (!session || drawn !== session.claims.sub) profile.reset();
    drawn = session?.claims.sub;
    byId('enter').hidden = !!session;
    card.hidden = !session;
    byId('account-hint').textContent = isDemo
      ? 'This is the demo account, which stays as it is. Log out and register one of your own to change these.'
      : '';
    byId('account-forms').hidden = isDemo;
    drawAddress(own(), isDemo);
    for (const owner of document.querySelectorAll('.owner')) /** @type {HTMLInputElement} */ (owner).value = session?.claims.email ?? '';
    // As long as nobody types into it, a field shows its default.
    profile.elements.userName.defaultValue = session?.claims.name ?? '';
    profile.elements.email.defaultValue = own()?.email ?? session?.claims.email ?? '';
  };

  const load = async () => {
    if (!client.session) return;
    const res = await service.ask('GET', '').catch(() => null);
    if (!res?.ok) return;
    known = await res.json().catch(() => null);
    draw();
  };

  /** After a change: what was typed is done with, and what the service says counts. */
  const settled = async () => {
    profile.reset();
    await load();
  };

  // Back from the tab where a link was opened. An expired token waits for a click: its refresh is part of the story.
  const look = () => {
    const waits = own() && (own()?.pendingEmail || !own()?.emailVerified);
    if (mail && waits && document.visibilityState === 'visible' && Number(client.session?.expiresAt) > Date.now()) load();
  };
  addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);

  return { draw, load };
};
