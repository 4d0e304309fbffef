//! Images in all their forms, and things that only look like them.

mod build;
mod forms;
mod hostile;
mod layers;
mod measure;
mod wanted;
