//! Numbered places for things under way: the number is what the kernel gives back.

/// See the module.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts something in, and tells its number.
    pub fn insert(&mut self, value: T) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[index] = Some(value);
        index
    }

    /// What has this number.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.places.get_mut(index)?.as_mut()
    }

    /// Takes it out.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let value = self.places.get_mut(index)?.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.free.clear();
        std::mem::take(&mut self.places).into_iter().flatten()
    }
}
