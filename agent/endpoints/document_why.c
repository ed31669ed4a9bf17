/* SPDX-License-Identifier: Apache-2.0 */
/* Why tasks are where they are, for people and for what watches the agent. */
#include "agent/endpoints/document.h"
#include "agent/endpoints/document_parts.h"
#include "base/str.h"

struct sentences {
	struct writer *writer;
	const char *container; /* whose are wanted; NULL: the task's */
	bool begun;
};

static void write_sentence(void *data, const char *container, const char *sentence)
{
	struct sentences *sentences = data;

	if (!str_eq(container, sentences->container))
		return;
	if (!sentences->begun)
		write_list(sentences->writer, "WaitsFor");
	sentences->begun = true;
	write_text(sentences->writer, NULL, sentence);
}

void write_waits(struct writer *writer, const struct engine *engine, const struct task_state *task,
		 const char *container)
{
	struct sentences sentences = { .writer = writer, .container = container };

	engine_waits(engine, task->spec->id, write_sentence, &sentences);
	if (sentences.begun)
		write_list_end(writer);
}

static void write_container(struct writer *writer, const struct engine *engine,
			    const struct task_state *task, const struct container_state *container)
{
	write_object(writer, NULL);
	write_text(writer, "Desired", container_status_name(container->desired));
	if (container->has_exit_code)
		write_i64(writer, "ExitCode", container->exit_code);
	write_text(writer, "Known", container_status_name(container->known));
	write_text(writer, "Name", container->spec->name);
	write_text(writer, "Reason", container->reason);
	write_time(writer, "Since",
		   container->known_since_ms ? container->known_since_ms : task->received_at_ms);
	write_waits(writer, engine, task, container->spec->name);
	write_object_end(writer);
}

void document_why(const struct engine *engine, const struct task_state *task, struct strbuf *out)
{
	struct writer writer = writer_to(out);

	write_object(&writer, NULL);
	write_text(&writer, "Arn", task->spec->arn);
	write_list(&writer, "Containers");
	for (size_t i = 0; i < task->container_count; i++)
		write_container(&writer, engine, task, &task->containers[i]);
	write_list_end(&writer);
	write_text(&writer, "Desired", task_status_name(task->desired));
	write_text(&writer, "Family", task->spec->family);
	write_text(&writer, "Known", task_status_name(task->known));
	write_text(&writer, "Reason", task->reason);
	write_text(&writer, "Reported", task_status_name(task->sent));
	write_time(&writer, "Since",
		   task->known_since_ms ? task->known_since_ms : task->received_at_ms);
	write_text(&writer, "Version", task->spec->version);
	write_waits(&writer, engine, task, NULL);
	write_object_end(&writer);
}
