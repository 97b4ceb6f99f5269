//! Work on another thread, which JavaScript awaits.

use napi::bindgen_prelude::*;

type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;

pub struct Background<T>(Option<Work<T>>);

/// A promise of what `work` gives.
pub fn background<T>(work: impl FnOnce() -> Result<T> + Send + 'static) -> AsyncTask<Background<T>>
where
    T: ToNapiValue + TypeName + Send + 'static,
{
    AsyncTask::new(Background(Some(Box::new(work))))
}

impl<T: ToNapiValue + TypeName + Send + 'static> Task for Background<T> {
    type Output = T;
    type JsValue = T;

    fn compute(&mut self) -> Result<T> {
        let work = self.0.take().expect("a task runs once");
        work()
    }

    fn resolve(&mut self, _env: Env, output: T) -> Result<T> {
        Ok(output)
    }
}
