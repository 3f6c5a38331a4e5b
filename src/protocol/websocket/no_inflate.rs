//! Stands where `inflate` would, without the feature `deflate`: an inflater that cannot be.

/// It has no values, so `Option<Inflater>` is always `None`, and the receiver needs no second version of itself.
#[derive(Debug)]
pub enum Inflater {}

impl Inflater {
    pub fn inflate<E>(&mut self, _: &[u8], _: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match *self {}
    }

    pub fn finish<E>(&mut self, _: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match *self {}
    }

    pub fn memory(&self) -> usize {
        match *self {}
    }

    pub fn has_context(&self) -> bool {
        match *self {}
    }
}
