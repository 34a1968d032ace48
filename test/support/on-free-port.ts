import { randomInt } from "node:crypto";

const MOST_TRIES = 10;

/**
 * Launches a server on a port nobody listens on, and again when somebody does. By default it is one below those that systems
 * give out to whoever asks for any: such a one could be given to somebody else before the server has it, or while it restarts.
 */
export async function onFreePort<Server>(
  launch: (port: number) => Promise<Server>,
  choose: () => number = () => randomInt(10_000, 30_000),
): Promise<{ server: Server; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = choose();
    try {
      return { server: await launch(port), port };
    } catch (error) {
      if (tries === MOST_TRIES || !/address already in use/i.test(String(error))) throw error;
    }
  }
}
