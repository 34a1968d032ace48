import { describeStoppedWorker } from "./describe-stopped-worker.ts";

describeStoppedWorker("node");
