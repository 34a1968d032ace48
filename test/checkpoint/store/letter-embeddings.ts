import { Embeddings } from "@langchain/core/embeddings";

/** The meaning of a text is how often it has each of its letters: real enough to rank by, and always the same. */
export class LetterEmbeddings extends Embeddings {
  /** How many texts each call was given. */
  readonly calls: number[] = [];

  constructor() {
    super({});
  }

  override async embedDocuments(texts: string[]): Promise<number[][]> {
    this.calls.push(texts.length);
    return texts.map(vectorOf);
  }

  override async embedQuery(text: string): Promise<number[]> {
    return vectorOf(text);
  }
}

/** The length of its vectors. */
export const LETTERS = 26;

function vectorOf(text: string): number[] {
  const vector = Array.from({ length: LETTERS }, () => 0);
  for (const letter of text.toLowerCase()) {
    const index = letter.charCodeAt(0) - 97;
    if (index >= 0 && index < LETTERS) vector[index]! += 1;
  }
  return vector;
}
