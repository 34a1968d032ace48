import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { CallbackManager } from "@langchain/core/callbacks/manager";
import type { Callbacks } from "@langchain/core/callbacks/manager";
import type { AIMessage } from "@langchain/core/messages";
import type { LLMResult } from "@langchain/core/outputs";
import { NO_USAGE, addUsage, usageOf } from "./usage.ts";
import type { Usage } from "./usage.ts";

/** Adds up what models use while it listens, in whatever a node calls: models, agents, subgraphs. */
export class TokenMeter extends BaseCallbackHandler {
  override readonly name = "perdure_token_meter";
  override awaitHandlers = true; // the sum is read right after the node
  used: Usage = NO_USAGE;

  override handleLLMEnd(output: LLMResult): void {
    for (const generation of output.generations.flat()) {
      const message = "message" in generation ? (generation.message as AIMessage) : undefined;
      this.used = addUsage(this.used, usageOf(message?.usage_metadata));
    }
  }

  /** A config's callbacks with this one among them; the given ones stay as they are. */
  addTo(callbacks: Callbacks | undefined): Callbacks {
    return callbacks instanceof CallbackManager
      ? callbacks.copy([this])
      : [...((callbacks as undefined | []) ?? []), this];
  }
}
