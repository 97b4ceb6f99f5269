//! Interpolated Kneser-Ney n-gram model: the baseline a neural model has to beat.
