import { Checkpointer } from "perdure/checkpoint";

/** The same checkpointer with some methods replaced, which a runner takes for a checkpointer as well. */
export function overriding(checkpointer: Checkpointer, methods: Partial<Checkpointer>): Checkpointer {
  return new Proxy(checkpointer, {
    get(target, name, proxy: Checkpointer) {
      if (name in methods) return methods[name as keyof Checkpointer];
      // of the two reads that may be overridden
      if (name === "readThread") return Checkpointer.prototype.readThread.bind(proxy);
      const value: unknown = Reflect.get(target, name, target);
      // private fields are found on the checkpointer itself only
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
