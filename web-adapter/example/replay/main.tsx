import { createRoot } from "react-dom/client";
// In this order: what comes later overrides, as in app/layout.tsx.
import "../app/globals.css";
import "../app/task.css";
import "../app/said.css";
import "../app/prose.css";
import "../app/message.css";
import "../app/narrow.css";
import "../app/runs.css";
import "../app/run.css";
import "../app/timeline.css";
import "./replay.css";
import { recordingOf } from "../components/timeline/recording";
import { aboutIn, eventsIn } from "./file";
import { Replay } from "./Replay";

const about = aboutIn(document);
const recording = recordingOf(eventsIn(document));
createRoot(document.getElementById("root")!).render(<Replay recording={recording} about={about} />);
