//! Waiting for events of the browser. Nothing here depends on the executor that polls the futures.

use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::Function;
use js_sys::futures::spawn_local;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, ms: i32) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
    is_set: bool,
}

/// A value that an event brings, and one future waits for. The first value counts. If that future is dropped, so is the
/// value, also one that comes later. A value that owns something (a lock, a connection) gives it back when it is
/// dropped.
pub struct Slot<T>(Rc<RefCell<State<T>>>);

/// The future of a [`Slot`].
pub struct Waiting<T>(Slot<T>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Slot<T> {
    pub fn new() -> Self {
        Self(Rc::new(RefCell::new(State { value: None, waker: None, is_set: false })))
    }

    /// Drops the value if there was one already, or if nobody waits for it any more.
    pub fn set(&self, value: T) {
        let mut state = self.0.borrow_mut();
        if state.is_set {
            drop(state);
            return drop(value);
        }
        state.is_set = true;
        state.value = Some(value);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether there was a value, or nobody waits for one any more.
    pub fn is_set(&self) -> bool {
        self.0.borrow().is_set
    }
}

impl<T> IntoFuture for Slot<T> {
    type Output = T;
    type IntoFuture = Waiting<T>;

    fn into_future(self) -> Waiting<T> {
        Waiting(self)
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let mut state = self.0.0.borrow_mut();
        state.is_set = true;
        let value = state.value.take();
        drop(state);
        drop(value);
    }
}

impl<T> Future for Waiting<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.0.borrow_mut();
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A timer that calls `then` once, unless it is dropped before.
pub struct Timer {
    timer: JsValue,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    pub fn new(ms: i32, then: impl FnOnce() + 'static) -> Self {
        let callback = Closure::once(then);
        Self { timer: set_timeout(callback.as_ref(), ms), _callback: callback }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.timer);
    }
}

pub async fn sleep(ms: i32) {
    let over = Slot::new();
    let set = over.clone();
    let _timer = Timer::new(ms, move || set.set(()));
    over.await;
}

type Handler = Closure<dyn FnMut(JsValue)>;

/// The handlers of some events. They keep each other alive until [`done`](Self::done), so that a future that is dropped
/// leaves no event without its handler.
#[derive(Clone, Default)]
pub struct Handlers(Rc<RefCell<Vec<Handler>>>);

impl Handlers {
    pub fn add(&self, handler: impl FnMut(JsValue) + 'static) -> Function {
        let closure: Handler = Closure::new(handler);
        let function = closure.as_ref().unchecked_ref::<Function>().clone();
        self.0.borrow_mut().push(closure);
        function
    }

    /// Drops the handlers, in a later turn: one of them may have called this.
    pub fn done(&self) {
        let all = self.0.take();
        spawn_local(async move { drop(all) });
    }
}
