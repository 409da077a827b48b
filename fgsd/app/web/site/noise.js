// Standard normal noise, number for number as PyTorch draws it on a CPU: a seed gives the same picture.
// PyTorch: Mersenne Twister (Matsumoto and Nishimura 1998), then Box and Muller (1958) in blocks of 16.

const [N, M] = [624, 397];
const BLOCK = 16;

/** The Mersenne Twister MT19937, seeded as `torch.Generator().manual_seed` does. */
export class MersenneTwister {
  #state = new Uint32Array(N);
  #index = N;

  /** @param {number} seed its lowest 32 bits count */
  constructor(seed) {
    const state = this.#state;
    state[0] = seed % 2 ** 32;
    for (let k = 1; k < N; k += 1) {
      const previous = state[k - 1] ^ (state[k - 1] >>> 30);
      state[k] = Math.imul(1812433253, previous) + k;
    }
  }

  /** @returns {number} a whole number of 32 bits */
  next() {
    if (this.#index >= N) this.#twist();
    let y = this.#state[this.#index];
    this.#index += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist() {
    const state = this.#state;
    for (let k = 0; k < N; k += 1) {
      const y = (state[k] & 0x80000000) | (state[(k + 1) % N] & 0x7fffffff);
      state[k] = state[(k + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#index = 0;
  }
}

/**
 * Draw what `torch.randn(count, generator=generator)` draws.
 *
 * @param {MersenneTwister} generator
 * @param {number} count at least 16
 * @returns {Float32Array}
 */
export function randn(generator, count) {
  const values = new Float32Array(count);
  const uniform = () => (generator.next() & 0xffffff) / 2 ** 24;
  for (let k = 0; k < count; k += 1) values[k] = uniform();
  for (let k = 0; k + BLOCK <= count; k += BLOCK) transform(values, k);
  if (count % BLOCK) {
    // the last block overlaps the one before, and is drawn anew
    for (let k = count - BLOCK; k < count; k += 1) values[k] = uniform();
    transform(values, count - BLOCK);
  }
  return values;
}

/** Turn 16 uniform numbers into normal ones. @param {Float32Array} values @param {number} start */
function transform(values, start) {
  const half = BLOCK / 2;
  for (let k = start; k < start + half; k += 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[k]));
    const angle = 2 * Math.PI * values[k + half];
    values[k] = radius * Math.cos(angle);
    values[k + half] = radius * Math.sin(angle);
  }
}

/**
 * The noise of one image; each call draws the next. As `fgsd.sampling.ImageNoise`.
 *
 * @param {number} seed
 * @param {number} size side of the image, in pixels
 * @param {number} drawn side of the image that is drawn, of which the image is the part at `corner`
 * @param {number} corner pixels from the left and upper edge
 * @returns {() => Float32Array} (3, size, size)
 */
export function imageNoise(seed, size, drawn = size, corner = 0) {
  const generator = new MersenneTwister(seed);
  return () => {
    const whole = randn(generator, 3 * drawn * drawn);
    if (drawn === size) return whole;
    const part = new Float32Array(3 * size * size);
    for (let row = 0; row < 3 * size; row += 1) {
      const [channel, y] = [Math.floor(row / size), row % size];
      const from = (channel * drawn + corner + y) * drawn + corner;
      part.set(whole.subarray(from, from + size), row * size);
    }
    return part;
  };
}
