const EUROS = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });

/** Cents as people read them: `6490` is `€64.90`. */
export function formatCents(cents: number): string {
  return EUROS.format(cents / 100);
}

/** The cents of an amount as people type it (`12`, `€12.50`, `12,5`); undefined for anything else, such as a third decimal. */
export function parseEuros(text: string): number | undefined {
  const [, euros, decimals = ""] = /^€?\s*(\d{1,9})(?:[.,](\d{1,2}))?\s*€?$/.exec(text) ?? [];
  return euros === undefined ? undefined : Number(euros) * 100 + Number(decimals.padEnd(2, "0"));
}
