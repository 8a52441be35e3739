// Student's distribution, by the incomplete beta function (its continued fraction by Lentz's method;
// Press et al., Numerical Recipes, section 6.4). Relative errors are below 1e-10.

function logGamma(x) {
  // Lanczos's series with g = 7 and nine terms (Godfrey): 15 digits.
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const shifted = x - 1;
  let sum = terms[0];
  for (let i = 1; i < terms.length; i++) sum += terms[i] / (shifted + i);
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

function betaFraction(a, b, x) {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
  let value = d;
  for (let m = 1; m < 1000; m++) {
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + term * d || tiny);
      c = 1 + term / c || tiny;
      value *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return value;
}

// I_x(a, b); rest = 1 - x is given apart, because where x is near 1 its digits are lost.
function incompleteBeta(a, b, x, rest) {
  if (x <= 0) return 0;
  if (rest <= 0) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(rest));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(a, b, x)) / a : 1 - (front * betaFraction(b, a, rest)) / b;
}

// How likely Student's variable is at least t from 0, t >= 0.
function twoSided(t, freedom) {
  const square = t * t;
  return incompleteBeta(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square));
}

// The t that is exceeded to both sides so likely.
function quantile(likely, freedom) {
  let low = 0;
  let high = 1;
  while (twoSided(high, freedom) > likely) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-15 * high; i++) {
    const middle = (low + high) / 2;
    if (twoSided(middle, freedom) > likely) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
