/**
 * A process for tests: opens a store on the Postgres URL of its first argument and puts an item under its second
 * one, prints "stored", and ends.
 */
import { openStore } from "perdure/checkpoint";

const [url = "", key = ""] = process.argv.slice(2);
const store = await openStore(url);
await store.put(["processes"], key, { pid: process.pid });
process.stdout.write("stored\n");
await store.close();
