/** Several vectors of the same length, one after the other; undefined for none. */
export function joinVectors(vectors: readonly Float32Array[]): Float32Array | undefined {
  const [first] = vectors;
  if (first === undefined) return undefined;
  const joined = new Float32Array(first.length * vectors.length);
  for (const [index, vector] of vectors.entries()) joined.set(vector, index * first.length);
  return joined;
}

/** The bytes of a vector, as this machine has them: little-endian wherever Node runs. */
export function bytesOfVectors(vectors: Float32Array): Buffer {
  return Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength);
}

/** The vectors whose bytes these are; copied, since they may lie anywhere in a larger buffer. */
export function vectorsOfBytes(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/**
 * The greatest cosine similarity between a vector and one of several that lie one after the other.
 * @returns from -1 to 1, 0 for a vector without a direction; undefined when the lengths do not fit
 */
export function bestSimilarity(query: Float32Array, vectors: Float32Array): number | undefined {
  const { length } = query;
  if (vectors.length === 0 || vectors.length % length !== 0) return undefined;
  let best = Number.NEGATIVE_INFINITY;
  for (let start = 0; start < vectors.length; start += length) {
    let dot = 0;
    let square = 0;
    let querySquare = 0;
    for (let index = 0; index < length; index += 1) {
      const a = query[index] as number;
      const b = vectors[start + index] as number;
      dot += a * b;
      square += b * b;
      querySquare += a * a;
    }
    best = Math.max(best, dot === 0 ? 0 : dot / Math.sqrt(square * querySquare));
  }
  return best;
}
