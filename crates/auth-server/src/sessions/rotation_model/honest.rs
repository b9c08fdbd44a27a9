//! The first promise: whoever sends the pair that he has and stores what he gets is never logged out.

use proptest::prelude::*;

use super::table::{Answer, Ask, GRACE, LATE_RETRIES, Table};
use super::world::Case;
use super::{door, stories};

#[derive(Clone, Debug)]
enum HonestStep {
    Wait(i64),
    /// A tab reads the stored pair and sends it.
    Send,
    /// One of the requests on their way arrives; its answer may be lost, and a copy may come later.
    Arrive {
        which: prop::sample::Index,
        replica: usize,
        answer_lost: bool,
        copy_stays: bool,
    },
    /// The answer is lost, and the laptop closed: the same pair is sent when it is opened.
    Asleep(i64),
    Save,
    Failover,
}

fn honest_step() -> impl Strategy<Value = HonestStep> {
    let arrive = (
        any::<prop::sample::Index>(),
        0..2_usize,
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.3),
    );
    prop_oneof![
        4 => prop_oneof![3 => 0..3_i64, 3 => GRACE - 2..2 * GRACE, 1 => 100..1000_i64].prop_map(HonestStep::Wait),
        6 => Just(HonestStep::Send),
        9 => arrive.prop_map(|(which, replica, answer_lost, copy_stays)| {
            HonestStep::Arrive { which, replica, answer_lost, copy_stays }
        }),
        2 => (GRACE..10 * GRACE).prop_map(HonestStep::Asleep),
        1 => Just(HonestStep::Save),
        1 => Just(HonestStep::Failover),
    ]
}

/// Honest tabs: they share one stored pair, send what is stored, and store an answer only over what was sent.
struct Owner<'a> {
    case: Case<'a>,
    stored: i64,
    /// Generation and time of each request that may still arrive: less than the grace time after it was sent.
    on_the_way: Vec<(i64, i64)>,
}

impl Owner<'_> {
    fn arrive(&mut self, replica: usize, sent: i64, answer_lost: bool) -> Result<(), String> {
        match self.case.ask(replica, Ask::Refresh(sent))? {
            Answer::Pair(next) if !answer_lost && self.stored == sent => self.stored = next,
            Answer::Pair(_) => {}
            // What the client does then: it reads the store again, and finds a newer pair.
            Answer::Superseded if answer_lost || self.stored != sent => {}
            refused => {
                return Err(format!(
                    "the honest owner was refused generation {sent}: {refused:?}"
                ));
            }
        }
        Ok(())
    }

    /// Lets time pass. No rule can forgive a lost answer in four generations in a row, each asked for again
    /// only after the grace time: after three, this client asks again in time.
    fn wait(&mut self, seconds: i64) -> Result<(), String> {
        let Table { generation, .. } = self.case.table;
        if self.stored + 1 == generation && self.case.table.late_in_a_row() >= LATE_RETRIES {
            self.arrive(0, self.stored, false)?;
        }
        self.case.now += seconds;
        let oldest = self.case.now - GRACE + 1;
        self.on_the_way.retain(|(_, sent_at)| *sent_at >= oldest);
        Ok(())
    }
}

#[test]
fn an_honest_owner_is_never_refused_however_bad_the_network() {
    stories(
        2,
        (door(), prop::collection::vec(honest_step(), 1..60)),
        |world, (door, story)| {
            let mut owner = Owner {
                case: world.begin_at(door),
                stored: 1,
                on_the_way: Vec::new(),
            };
            let mut backup = owner.case.save();
            for step in story {
                if owner.case.now + 1000 >= owner.case.table.idle_until {
                    break; // Over, and rightly.
                }
                match step {
                    HonestStep::Wait(seconds) => owner.wait(seconds)?,
                    HonestStep::Send => owner.on_the_way.push((owner.stored, owner.case.now)),
                    HonestStep::Arrive {
                        which,
                        replica,
                        answer_lost,
                        copy_stays,
                    } => {
                        if owner.on_the_way.is_empty() {
                            continue;
                        }
                        let at = which.index(owner.on_the_way.len());
                        let (sent, _) = owner.on_the_way[at];
                        if !copy_stays {
                            owner.on_the_way.swap_remove(at);
                        }
                        owner.arrive(replica, sent, answer_lost)?;
                    }
                    HonestStep::Asleep(seconds) => {
                        owner.arrive(0, owner.stored, true)?;
                        owner.wait(seconds)?;
                        owner.arrive(1, owner.stored, false)?;
                    }
                    HonestStep::Save => backup = owner.case.save(),
                    HonestStep::Failover => {
                        // No request outlives it: the connections are gone with the old server.
                        owner.wait(GRACE)?;
                        if owner.case.now + 1000 < backup.table.idle_until {
                            owner.case.restore(&backup);
                        }
                    }
                }
            }
            owner.wait(GRACE)?;
            owner.arrive(0, owner.stored, false)?;
            owner.arrive(1, owner.stored, false)
        },
    );
}
