import { describe, expect, it } from "vitest";
import { rank } from "../../../src/checkpoint/store/rank.ts";
import { bytesOfVectors, joinVectors, vectorsOfBytes } from "../../../src/checkpoint/store/vectors.ts";

const vector = (...numbers: number[]): Float32Array => Float32Array.from(numbers);

describe("ranking", () => {
  it("puts the nearest first by cosine similarity, whatever the length of a vector", () => {
    const candidates = [
      { id: 1, vectors: vector(0, 3) },
      { id: 2, vectors: vector(10, 0) },
      { id: 3, vectors: vector(1, 1) },
      { id: 4, vectors: vector(-1, 0) },
    ];
    const ranked = rank(candidates, vector(2, 0), { limit: 10, offset: 0 });
    expect(ranked.map(({ id }) => id)).toEqual([2, 3, 1, 4]);
    expect(ranked.map(({ score }) => score?.toFixed(3))).toEqual(["1.000", "0.707", "0.000", "-1.000"]);
  });

  it("takes the best of an item's vectors", () => {
    const [first] = rank([{ id: 1, vectors: vector(0, 1, 1, 0) }], vector(1, 0), { limit: 1, offset: 0 });
    expect(first?.score).toBe(1);
  });

  it("puts items without fitting vectors last, the newer first, without a score", () => {
    const candidates = [
      { id: 1, vectors: undefined },
      { id: 2, vectors: vector(1, 2, 3) },
      { id: 3, vectors: vector(-1, 0) },
    ];
    expect(rank(candidates, vector(1, 0), { limit: 10, offset: 0 })).toEqual([
      { id: 3, score: -1 },
      { id: 2, score: undefined },
      { id: 1, score: undefined },
    ]);
  });

  it("gives a vector without a direction the score 0", () => {
    expect(rank([{ id: 1, vectors: vector(0, 0) }], vector(1, 0), { limit: 1, offset: 0 })[0]?.score).toBe(0);
    expect(rank([{ id: 1, vectors: vector(1, 0) }], vector(0, 0), { limit: 1, offset: 0 })[0]?.score).toBe(0);
  });

  it("gives pages that follow each other", () => {
    const candidates = Array.from({ length: 10 }, (_, id) => ({ id, vectors: vector(1, id) }));
    const page = (offset: number): number[] => rank(candidates, vector(1, 0), { limit: 4, offset }).map(({ id }) => id);
    expect([...page(0), ...page(4), ...page(8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("vectors", () => {
  it("are read back from their bytes, wherever these lie in a buffer", () => {
    const joined = joinVectors([vector(1, 2), vector(3, 4.5)]);
    expect(joined).toEqual(vector(1, 2, 3, 4.5));
    const bytes = Buffer.concat([Buffer.from([9]), bytesOfVectors(joined!)]).subarray(1);
    expect(vectorsOfBytes(bytes)).toEqual(joined);
    expect(joinVectors([])).toBeUndefined();
  });
});
