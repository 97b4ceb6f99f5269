//! Optimizers, in place on parameters.

use super::{call, size};
use napi::bindgen_prelude::Int32Array;
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::{muon, optimizer, optimizer_8bit, reduce};

#[napi]
pub fn tensor_sum_of_squares(handles: Int32Array) -> Result<f64> {
    call("gradient norm", |engine| {
        let mut sum = 0.0;
        for &handle in handles.iter() {
            sum += reduce::total(
                &engine.context,
                engine.input(handle, engine.length(handle)?)?,
                true,
            );
        }
        Ok(sum)
    })
}

#[napi(object)]
pub struct TensorAdamw {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: f64,
    pub gradient_scale: f64,
}

impl From<TensorAdamw> for optimizer::Adamw {
    fn from(settings: TensorAdamw) -> Self {
        Self {
            learning_rate: settings.learning_rate as f32,
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            weight_decay: settings.weight_decay as f32,
            step: settings.step,
            gradient_scale: settings.gradient_scale as f32,
        }
    }
}

#[napi]
pub fn tensor_adamw(handles: Int32Array, settings: TensorAdamw) -> Result<()> {
    call("adamw", |engine| {
        let settings = settings.into();
        for entry in handles.chunks(4) {
            let &[p, g, m, v] = entry else {
                return Err(Error::from_reason("four handles an entry are needed"));
            };
            let n = engine.length(p)?;
            let (parameter, gradient) = (engine.output(p, n, &[g, m, v])?, engine.input(g, n)?);
            let (first, second) = (
                engine.output(m, n, &[g, p, v])?,
                engine.output(v, n, &[g, p, m])?,
            );
            optimizer::adamw(
                &engine.context,
                parameter,
                gradient,
                first,
                second,
                settings,
            );
        }
        Ok(())
    })
}

/// f32 words of one moment in 8 bits.
#[napi]
pub fn tensor_state_words(parameters: u32) -> u32 {
    optimizer_8bit::state_words(parameters as usize) as u32
}

#[napi(js_name = "tensorAdamw8bit")]
pub fn tensor_adamw_8bit(handles: Int32Array, settings: TensorAdamw) -> Result<()> {
    call("adamw 8-bit", |engine| {
        let settings = settings.into();
        for entry in handles.chunks(4) {
            let &[p, g, m, v] = entry else {
                return Err(Error::from_reason("four handles an entry are needed"));
            };
            let n = engine.length(p)?;
            let words = optimizer_8bit::state_words(n);
            optimizer_8bit::adamw_8bit(
                &engine.context,
                engine.output(p, n, &[g, m, v])?,
                engine.input(g, n)?,
                engine.output(m, words, &[g, p, v])?,
                engine.output(v, words, &[g, p, m])?,
                settings,
            );
        }
        Ok(())
    })
}

#[napi(object)]
pub struct TensorMuon {
    pub learning_rate: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub newton_schulz_steps: u32,
    pub weight_decay: f64,
    pub gradient_scale: f64,
}

#[napi]
pub fn tensor_muon(handles: Int32Array, shapes: Int32Array, settings: TensorMuon) -> Result<()> {
    call("muon", |engine| {
        let mut entries = Vec::new();
        let mut used = std::collections::HashSet::new();
        for (entry, shape) in handles.chunks(3).zip(shapes.chunks(2)) {
            let (&[p, g, m], &[rows, columns]) = (entry, shape) else {
                return Err(Error::from_reason(
                    "three handles and two sizes an entry are needed",
                ));
            };
            if !(used.insert(p) && used.insert(g) && used.insert(m)) {
                return Err(Error::from_reason("a tensor comes twice"));
            }
            let n = size(&[rows.max(0) as u32, columns.max(0) as u32])?;
            entries.push(muon::Entry {
                parameter: engine.output(p, n, &[])?,
                gradient: engine.input(g, n)?,
                momentum: engine.output(m, n, &[])?,
                rows: rows as usize,
                columns: columns as usize,
            });
        }
        let settings = muon::Muon {
            learning_rate: settings.learning_rate as f32,
            momentum: settings.momentum as f32,
            nesterov: settings.nesterov,
            steps: settings.newton_schulz_steps as usize,
            weight_decay: settings.weight_decay as f32,
            gradient_scale: settings.gradient_scale as f32,
        };
        muon::muon(&engine.context, &mut entries, settings);
        Ok(())
    })
}
