/** The thread has it whole; Temporal ends a run whose failure it can't take. */
const LONGEST_TEXT = 2_000;

/** As much of an error's message as goes to Temporal. */
export function failureText(message: string): string {
  if (message.length <= LONGEST_TEXT) return message;
  return `${message.slice(0, LONGEST_TEXT)} … (${message.length} characters)`;
}
