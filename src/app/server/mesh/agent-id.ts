/** The name that an agent has chosen for itself once: a claim, and never more than a name among its identity's agents. */

import type { Metadata } from "@grpc/grpc-js";
import { isNodeAgentName } from "../../../core/roll/leaf-owners.ts";

const agentIdPattern = /^[\w.:/-]{1,128}$/;

export function isAgentId(text: string): boolean {
  return agentIdPattern.test(text) && !isNodeAgentName(text);
}

/** Who asks for a certificate; "" where it does not say, or says something else: that is no reason to refuse it. */
export function agentIdOf(metadata: Metadata): string {
  const [claimed, ...others] = metadata.get("portcullis-agent-id");
  return typeof claimed === "string" && others.length === 0 && isAgentId(claimed) ? claimed : "";
}
