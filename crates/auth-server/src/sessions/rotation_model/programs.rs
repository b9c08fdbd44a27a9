//! What a program is left with once its user has taken his account away from it: nothing, at whatever stage it was.

use super::table::MORNING;
use super::waiting::{CLIENT, Words};
use super::world::World;
use crate::db::Caller;
use crate::error::Error;

impl World {
    fn agree(&self, scope: &'static str) {
        let user = self.user.account.id;
        let caller = Caller::cli();
        let put = self.db.write(&caller, move |tx| {
            tx.put_consent(user, CLIENT, scope, MORNING)
        });
        self.runtime.block_on(put).unwrap();
    }

    fn take_away(&self, client: &str) -> bool {
        let (user, caller) = (self.user.account.id, Caller::cli());
        let taken = self.replicas[1].end_program(user, client.into(), &caller);
        self.runtime.block_on(taken).ok().unwrap()
    }

    fn programs(&self) -> Vec<(String, String, usize)> {
        let listed = self.replicas[0].programs(self.user.account.id, MORNING);
        let listed = self.runtime.block_on(listed).ok().unwrap().into_iter();
        listed
            .map(|(id, program)| (id, program.scope, program.sessions.len()))
            .collect()
    }
}

#[test]
fn a_code_is_made_only_while_what_it_stands_on_is_agreed_to() {
    let world = World::new();
    assert!(world.ask_for_code_agreed("openid").is_none());
    world.agree("openid");
    assert!(world.ask_for_code_agreed("openid").is_some());
    assert!(world.ask_for_code_agreed("openid email").is_none());
    assert!(world.take_away(CLIENT));
    assert!(world.ask_for_code_agreed("openid").is_none());
    // Who is not asked needs no yes.
    assert!(world.ask_for_code_agreed("").is_some());
}

#[test]
fn at_every_stage_a_program_is_left_with_nothing() {
    let world = World::new();
    world.agree("openid");
    let fetch = || {
        let waiting = world.ask_for_code_agreed("openid").unwrap();
        let tokens = waiting.exchange(0, MORNING, &Words::right()).ok().unwrap();
        (waiting, tokens)
    };
    let (_, tokens) = fetch();
    let on_its_way = world.ask_for_code_agreed("openid").unwrap();
    assert_eq!(world.programs(), [(CLIENT.into(), "openid".into(), 1)]);

    assert!(!world.take_away("another"));
    assert!(world.take_away(CLIENT));

    assert_eq!(world.programs(), []);
    let fetched = on_its_way.exchange(0, MORNING, &Words::right());
    assert!(matches!(fetched, Err(Error::InvalidCode)));
    let (refresh, _) = tokens.refresh.unwrap();
    let client = super::waiting::client(CLIENT);
    let caller = super::world::caller(MORNING);
    let refreshed = world.replicas[0].refresh_app(&refresh, &client, None, &caller);
    let refused = world.runtime.block_on(refreshed).err();
    assert!(matches!(refused, Some(Error::SessionOver(_))));
    // Once: there is nothing left to take.
    assert!(!world.take_away(CLIENT));
    // A yes alone is something as well.
    world.agree("openid");
    assert_eq!(world.programs(), [(CLIENT.into(), "openid".into(), 0)]);
    assert!(world.take_away(CLIENT));
}
