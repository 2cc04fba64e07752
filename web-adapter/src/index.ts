/**
 * A CrewAI crew in the browser, framework-free.
 *
 *     client     start, follow, steer
 *     follow     one run over as many connections as it takes
 *     ws, fetch-sse  the two transports, alike from above
 *     reducer    events to what a page shows; pure
 *
 * `crew-web-adapter/react` puts it into assistant-ui.
 */
export { createCrewClient } from "./client.ts";
export type { CommandOptions, CrewClient, CrewClientOptions, StartOptions } from "./client.ts";
export { CrewError } from "./errors.ts";
export type { ConnectionStatus, FollowOptions } from "./follow.ts";
export type * from "./protocol.ts";
export { emptyRun, isFinal, reduce } from "./reducer.ts";
export type { CallView, Note, QuestionView, RunView, SteerView, Step, TaskView, ToolView } from "./reducer.ts";
export { snapshots } from "./snapshots.ts";
export type { Limits } from "./transport.ts";
