/** Reads CSV text with a header line into one record per line; a field with commas stands in double quotes. */
export function parseCsv(text: string): Record<string, string>[] {
  const [header = [], ...lines] = text.trim().split(/\r?\n/).map(parseLine);
  return lines.map((fields, index) => {
    if (fields.length !== header.length) {
      throw new Error(`Line ${index + 2} has ${fields.length} fields, the header has ${header.length}.`);
    }
    return Object.fromEntries(header.map((name, column) => [name, fields[column] ?? ""]));
  });
}

/** `""` inside quotes is one quote. */
function parseLine(line: string): string[] {
  const fields = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return Array.from(fields, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
}
