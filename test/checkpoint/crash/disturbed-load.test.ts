import { describeDisturbedLoad } from "./describe-disturbed-load.ts";

describeDisturbedLoad(5);
