// Functions written once in terms of the sixteen-lane operations. Included by simd.h only.
#pragma once

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// e^x: relative error below 2e-7 where the result is normal, exactly 1 at 0, 0 for x <= -104, infinity above
// 88.73, NaN for NaN. x = n ln 2 + r with |r| <= ln(2) / 2, then the Taylor polynomial of degree 7 (its
// remainder is below 6e-9). 2^n is applied in two halves so that subnormal results are rounded only once.
KVSPLIT_INLINE f32x16 exp(f32x16 x) {
    const f32x16 clamped = max(set1(-104.0f), min(set1(89.0f), x));
    const i32x16 n = to_i32(clamped * set1(1.44269504088896341f));
    const f32x16 nf = to_f32(n);
    // ln 2 in two parts; the first has 9 significant bits, so that n * part is exact.
    f32x16 r = fnmadd(nf, set1(0.693359375f), clamped);
    r = fnmadd(nf, set1(-2.12194440e-4f), r);
    f32x16 p = set1(1.0f / 5040);
    p = fmadd(p, r, set1(1.0f / 720));
    p = fmadd(p, r, set1(1.0f / 120));
    p = fmadd(p, r, set1(1.0f / 24));
    p = fmadd(p, r, set1(1.0f / 6));
    p = fmadd(p, r, set1(0.5f));
    p = fmadd(p, r * r, r) + set1(1.0f);
    const i32x16 half = shift_right_signed<1>(n);
    return p * power_of_two(half) * power_of_two(n - half);
}

// 2^x for x <= 0, simpler than exp: exactly 1 at 0, 0 for x < -126, relative error below 2e-7. The polynomial
// has the least relative error of degree 5 on [0, 1).
KVSPLIT_INLINE f32x16 exp2_below(f32x16 x) {
    const f32x16 f = fraction(x);
    f32x16 p = set1(0.0018671300495043397f);
    p = fmadd(p, f, set1(0.009017030708491802f));
    p = fmadd(p, f, set1(0.05579991266131401f));
    p = fmadd(p, f, set1(0.24016444385051727f));
    p = fmadd(p, f, set1(0.6931512951850891f));
    p = fmadd(p, f, set1(1.0f));
    return times_power(p, x);
}

// 2^(t / 4096 - 1) as a whole number, up to 0.4 % too small before it is rounded down: 0 to 32767. The
// polynomial is 2^f - 1 of the exponent's fraction f; both it and f are multiplied by 2^16.
KVSPLIT_INLINE u16x32 exp2_words(u16x32 t) {
    const u16x32 f = shift_left<4>(t);
    const u16x32 p = multiply_high(multiply_high(f, set1_word(22050)) + set1_word(43030), f);
    return shift_out(average(p, set1_word(65535)), shift_right_logical<12>(t));
}

// 1 / (1 + e^-x)
KVSPLIT_INLINE f32x16 sigmoid(f32x16 x) { return set1(1.0f) / (set1(1.0f) + exp(-x)); }

KVSPLIT_INLINE f32x16 identity(f32x16 x) { return x; }

// log(1 + e^x), relative error below 1e-6: max(x, 0) + log(1 + u) with u = e^-|x|, and log(1 + u) = 2
// atanh(s) with s = u / (2 + u) <= 1/3, whose series is cut off after s^13.
KVSPLIT_INLINE f32x16 softplus(f32x16 x) {
    const f32x16 u = exp(-abs(x));
    const f32x16 s = u / (set1(2.0f) + u);
    const f32x16 s2 = s * s;
    f32x16 p = set1(2.0f / 13);
    p = fmadd(p, s2, set1(2.0f / 11));
    p = fmadd(p, s2, set1(2.0f / 9));
    p = fmadd(p, s2, set1(2.0f / 7));
    p = fmadd(p, s2, set1(2.0f / 5));
    p = fmadd(p, s2, set1(2.0f / 3));
    p = fmadd(p, s2, set1(2.0f));
    return fmadd(p, s, max(x, zero_f32()));
}

KVSPLIT_INLINE f32x16 silu(f32x16 x) { return x / (set1(1.0f) + exp(-x)); }

// The tanh form of GELU: x/2 (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x sigmoid(2u).
KVSPLIT_INLINE f32x16 gelu_tanh(f32x16 x) {
    const f32x16 cubic = fmadd(x * x * x, set1(0.044715f), x);
    return x / (set1(1.0f) + exp(cubic * set1(-1.59576912160573f)));
}

// x Phi(x), Phi the normal distribution: x/2 (1 + erf(x / sqrt(2))), with formula 7.1.26 of Abramowitz and
// Stegun for the error function (absolute error below 2e-7).
KVSPLIT_INLINE f32x16 gelu(f32x16 x) {
    const f32x16 z = abs(x) * set1(0.707106781186548f);
    const f32x16 t = set1(1.0f) / fmadd(z, set1(0.3275911f), set1(1.0f));
    f32x16 p = set1(1.061405429f);
    p = fmadd(p, t, set1(-1.453152027f));
    p = fmadd(p, t, set1(1.421413741f));
    p = fmadd(p, t, set1(-0.284496736f));
    p = fmadd(p, t, set1(0.254829592f));
    const f32x16 tail = set1(0.5f) * p * t * exp(-(z * z));  // 1 - Phi(|x|)
    return x * select(lt(x, zero_f32()), tail, set1(1.0f) - tail);
}

KVSPLIT_INLINE f32x16 relu(f32x16 x) { return max(x, zero_f32()); }

KVSPLIT_INLINE f32x16 relu_squared(f32x16 x) {
    const f32x16 positive = max(x, zero_f32());
    return positive * positive;
}

// Absolute error below 3e-7.
KVSPLIT_INLINE f32x16 tanh(f32x16 x) { return set1(1.0f) - set1(2.0f) / (set1(1.0f) + exp(x + x)); }

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
