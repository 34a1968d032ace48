import { describeStoppedWorker } from "../temporal-bridge/crash/describe-stopped-worker.ts";

describeStoppedWorker("node");
describeStoppedWorker("burst");
