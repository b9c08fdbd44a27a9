//! What can go wrong on a connection.

/// What a connection is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Everything goes well.
    #[default]
    Usual,
    /// The certificate is for another name.
    OtherName,
    /// The certificate is by an authority that nobody named.
    OtherAuthority,
    /// STARTTLS is not offered.
    NoStartTls,
    /// Behind its "go ahead" for STARTTLS come answers in the clear, as somebody on the way would put them there.
    AnswersBehindStartTls,
    /// The connection is accepted, and closed.
    HangsUp,
    /// The connection is accepted, and nothing is said.
    Silent,
    /// The greeting begins and never ends, a byte at a time.
    HalfAGreeting,
    /// `EHLO` gets no answer.
    HangsAtHello,
    /// The end of the mail gets no answer; the mail counts as accepted.
    HangsAtTheEnd,
    /// The log-in is refused, `535 5.7.8`.
    RefusesLogIn,
    /// `MAIL FROM` gets this answer, as `550 5.1.8 who are you`.
    Sender(String),
    /// `RCPT TO` gets this answer, as `451 4.3.0 later` or `550 5.1.1 nobody`; `{to}` in it is the recipient.
    Recipient(String),
    /// The end of the mail gets this answer.
    Content(String),
    /// The connection is cut behind the end of the mail, before an answer; the mail counts as accepted, since a
    /// server may well have stored it.
    CutAtTheEnd,
    /// `QUIT` gets no answer.
    HangsAtGoodbye,
}
