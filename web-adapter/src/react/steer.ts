import { newId, type CrewClient } from "../client.ts";
import { hasCode } from "../errors.ts";
import { CHAT_ID } from "../past.ts";
import type { Command } from "../protocol.ts";
import type { RunView } from "../view.ts";

/**
 * Says `text` to a live run: as the answer, if it has asked, else as an instruction. Tells whether it
 * still could be said to it.
 */
export async function steer(client: CrewClient, run: string, view: RunView, text: string): Promise<boolean> {
  const ways: Command[] = [{ cmd: "modify", run, instruction: text }];
  if (view.state === "waiting") ways.unshift({ cmd: "answer", run, input: view.input.input, text });
  for (const way of ways) {
    try {
      await client.command(way, { id: CHAT_ID + newId() });
      return true;
    } catch (error) {
      // Somebody else has answered, or it has ended meanwhile.
      if (!hasCode(error, "already_answered", "illegal_state", "unknown_run")) throw error;
    }
  }
  return false;
}
