//! Who follows a topic, and the sweep that hands out what is new.
//!
//! Followers at the head of the log, who have been given everything, stand in one list; those *behind* in
//! another, which is all that trimming has to look at. A sweep goes over the first list with one index:
//!
//! ```text
//! at_head   [ served … | sweep | still to come …        ]   joiners go to the end
//! ```
//!
//! A removal at or above the index fills its hole from the end. A removal below it fills its hole with the
//! follower just below the index, that hole from the end, and lowers the index. So nobody is skipped and
//! nobody served twice, whoever joins, leaves or falls behind in the middle of it, and a sweep can
//! stop anywhere for other work. What is published meanwhile goes along to those still to come; a second
//! sweep serves the rest.

/// A follower's key: whatever number the layer above knows it by, each but once.
pub type Follower = u32;

/// Marks, in a follower's place, that it stands in the list of those behind.
const BEHIND: u32 = 1 << 31;
const NOWHERE: u32 = u32::MAX;

/// Where each follower of any topic stands in its topic's list, by the follower's key.
#[derive(Default)]
pub struct Places(Vec<u32>);

impl Places {
    fn set(&mut self, follower: Follower, place: u32) {
        let at = follower as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, NOWHERE);
        }
        self.0[at] = place;
    }

    fn get(&self, follower: Follower) -> Option<u32> {
        self.0.get(follower as usize).copied().filter(|place| *place != NOWHERE)
    }
}

/// A sweep under way.
#[derive(Clone, Copy)]
struct Sweep {
    next: u32,
    /// The segment in which the furthest behind of those at the head may stand.
    floor: u32,
    /// The open segment when it began: those it has served stand there or further.
    began_in: u32,
    /// Something was published since it began.
    again: bool,
}

/// The followers of one topic.
#[derive(Default)]
pub struct Followers {
    at_head: Vec<Follower>,
    behind: Vec<Follower>,
    sweep: Option<Sweep>,
}

impl Followers {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.at_head.is_empty() && self.behind.is_empty()
    }

    /// Those who have something owed to them that they did not take at once.
    pub fn behind(&self) -> &[Follower] {
        &self.behind
    }

    /// Those who have been given everything, or will be by the sweep under way.
    pub fn at_head(&self) -> &[Follower] {
        &self.at_head
    }

    /// A new follower that has been given everything.
    pub fn join(&mut self, follower: Follower, places: &mut Places) {
        places.set(follower, self.at_head.len() as u32);
        self.at_head.push(follower);
    }

    /// It goes, from wherever it stands.
    pub fn leave(&mut self, follower: Follower, places: &mut Places) {
        let Some(place) = places.get(follower) else { return };
        places.set(follower, NOWHERE);
        if place & BEHIND != 0 {
            let at = place & !BEHIND;
            self.behind.swap_remove(at as usize);
            if let Some(moved) = self.behind.get(at as usize) {
                places.set(*moved, place);
            }
            return;
        }
        let mut hole = place;
        if let Some(sweep) = &mut self.sweep
            && hole < sweep.next
        {
            sweep.next -= 1;
            let last_served = self.at_head[sweep.next as usize];
            self.at_head[hole as usize] = last_served;
            if last_served != follower {
                places.set(last_served, hole);
            }
            hole = sweep.next;
        }
        self.at_head.swap_remove(hole as usize);
        if let Some(moved) = self.at_head.get(hole as usize) {
            places.set(*moved, hole);
        }
    }

    /// It could not take all that it is owed.
    pub fn fall_behind(&mut self, follower: Follower, places: &mut Places) {
        if !self.is_behind(follower, places) {
            self.leave(follower, places);
            places.set(follower, self.behind.len() as u32 | BEHIND);
            self.behind.push(follower);
        }
    }

    /// It has been given everything again.
    pub fn catch_up(&mut self, follower: Follower, places: &mut Places) {
        if self.is_behind(follower, places) {
            self.leave(follower, places);
            self.join(follower, places);
        }
    }

    /// Whether it stands with those behind.
    pub fn is_behind(&self, follower: Follower, places: &Places) -> bool {
        places.get(follower).is_some_and(|place| place & BEHIND != 0)
    }

    /// An event comes, while `open` is the open segment. Returns whether a sweep begins with it.
    pub fn announce(&mut self, open: u32) -> bool {
        match &mut self.sweep {
            Some(sweep) => {
                sweep.again = true;
                false
            }
            None if self.at_head.is_empty() => false,
            None => {
                self.sweep = Some(Sweep { next: 0, floor: open, began_in: open, again: false });
                true
            }
        }
    }

    /// Whom the sweep comes to next; `None` when it has come to its end, and so has all that there was to
    /// hand out. `open` is the open segment now.
    pub fn next(&mut self, open: u32) -> Option<Follower> {
        loop {
            let sweep = self.sweep.as_mut()?;
            if let Some(follower) = self.at_head.get(sweep.next as usize) {
                return Some(*follower);
            }
            if sweep.again && !self.at_head.is_empty() {
                *sweep = Sweep { next: 0, floor: sweep.began_in, began_in: open, again: false };
            } else {
                self.sweep = None;
            }
        }
    }

    /// The follower that [`Followers::next`] named has been given everything; if it has left or fallen
    /// behind instead, another stands in its place already.
    pub fn served(&mut self, follower: Follower) {
        if let Some(sweep) = &mut self.sweep
            && self.at_head.get(sweep.next as usize) == Some(&follower)
        {
            sweep.next += 1;
        }
    }

    /// No segment from this number on may be dropped yet: a sweep has to hand it out first.
    pub fn floor(&self) -> u32 {
        self.sweep.map_or(u32::MAX, |sweep| sweep.floor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{Followers, Places};

    /// What may happen between two steps of a sweep.
    #[derive(Clone, Debug)]
    enum Step {
        Join,
        Leave(usize),
        FallBehind(usize),
        CatchUp(usize),
        Publish,
        Serve,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Join),
            1 => (0..64_usize).prop_map(Step::Leave),
            1 => (0..64_usize).prop_map(Step::FallBehind),
            1 => (0..64_usize).prop_map(Step::CatchUp),
            1 => Just(Step::Publish),
            4 => Just(Step::Serve),
        ]
    }

    proptest! {
        /// The model: what each follower has been given is a count of the events published, which a visit of
        /// the sweep sets to all; nobody may be visited who has everything and was visited since the
        /// last event, and at the end of the sweep everybody at the head has everything.
        #[test]
        fn a_sweep_skips_nobody_and_serves_nobody_twice(steps in proptest::collection::vec(step(), 1..300)) {
            let (mut followers, mut places) = (Followers::default(), Places::default());
            let mut given: HashMap<u32, u32> = HashMap::new();
            let (mut published, mut key) = (0, 0);
            let mut visited_since: HashMap<u32, u32> = HashMap::new();
            for step in steps {
                let pick = |list: &[u32], at: usize| (!list.is_empty()).then(|| list[at % list.len()]);
                match step {
                    Step::Join => {
                        followers.join(key, &mut places);
                        given.insert(key, published);
                        key += 1;
                    }
                    Step::Leave(at) => {
                        let list = if at % 2 == 0 { followers.at_head() } else { followers.behind() };
                        if let Some(follower) = pick(list, at / 2) {
                            followers.leave(follower, &mut places);
                            given.remove(&follower);
                        }
                    }
                    Step::FallBehind(at) => {
                        if let Some(follower) = pick(followers.at_head(), at) {
                            followers.fall_behind(follower, &mut places);
                        }
                    }
                    Step::CatchUp(at) => {
                        if let Some(follower) = pick(followers.behind(), at) {
                            followers.catch_up(follower, &mut places);
                            given.insert(follower, published);
                            // It stands at the end again, where a sweep under way comes by in vain.
                            visited_since.remove(&follower);
                        }
                    }
                    Step::Publish => {
                        published += 1;
                        followers.announce(0);
                        visited_since.clear();
                    }
                    Step::Serve => {
                        if let Some(follower) = followers.next(0) {
                            let visits = visited_since.entry(follower).or_default();
                            *visits += 1;
                            // Once in the sweep that the event came into, once in the second.
                            prop_assert!(*visits <= 2, "follower {follower} visited {visits} times for one event");
                            given.insert(follower, published);
                            followers.served(follower);
                        }
                    }
                }
                for (at, follower) in followers.at_head().iter().enumerate() {
                    prop_assert_eq!(places.get(*follower), Some(at as u32));
                }
            }
            while let Some(follower) = followers.next(0) {
                given.insert(follower, published);
                followers.served(follower);
            }
            for follower in followers.at_head() {
                prop_assert_eq!(given[follower], published, "follower {} was skipped", follower);
            }
        }
    }
}
