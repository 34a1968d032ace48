const EUROS = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });

/** Cents as people read them: `6490` is `€64.90`. */
export function formatCents(cents: number): string {
  return EUROS.format(cents / 100);
}
