import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/**
 * - `before`: the statement does not reach the server
 * - `during`: it does, and nobody knows what becomes of it
 * - `after`: the server has answered it, and the answer is lost
 */
export type CutPoint = "before" | "during" | "after";

/** A way to a Postgres server that breaks where a test wants it to. */
export interface CuttingProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** Breaks the connection that sends the next COMMIT after a statement with this word in it. Resolves when that has happened. */
  cutAtCommit(point: CutPoint, word?: string): Promise<void>;
  /** From here on no new connection is made, until `false`. */
  refuse(refuses: boolean): void;
  close(): Promise<void>;
}

/** Starts a proxy in front of a server. */
export async function startCuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const server = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let refuses = false;
  let next: { readonly point: CutPoint; readonly word: string; readonly done: () => void } | undefined;

  const proxy = createServer((client) => {
    const upstream = connect(Number(server.port), server.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    const cut = (done: () => void): void => {
      client.destroy();
      upstream.destroy();
      done();
    };
    if (refuses) return cut(() => {});
    let answerIsLost: (() => void) | undefined;
    let isIt = false;
    client.on("data", (data) => {
      isIt ||= next !== undefined && data.includes(next.word);
      if (next === undefined || !isIt || !data.includes("COMMIT\0")) return void upstream.write(data);
      const { point, done } = next;
      next = undefined;
      if (point === "before") return cut(done);
      if (point === "after") answerIsLost = done;
      upstream.write(data, () => {
        if (point === "during") cut(done);
      });
    });
    upstream.on("data", (data) => {
      if (answerIsLost === undefined) client.write(data);
      else cut(answerIsLost);
    });
    client.on("end", () => upstream.end());
    upstream.on("end", () => client.end());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const url = new URL(server);
  url.hostname = "127.0.0.1";
  url.port = String((proxy.address() as AddressInfo).port);
  return {
    url: url.href,
    cutAtCommit: (point, word = "") =>
      new Promise((resolve) => {
        next = { point, word, done: resolve };
      }),
    refuse: (value) => {
      refuses = value;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}
