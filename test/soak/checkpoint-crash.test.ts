import { describeDisturbedLoad } from "../checkpoint/crash/describe-disturbed-load.ts";

describeDisturbedLoad(50);
