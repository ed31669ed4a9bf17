/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/operation.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"

struct operations {
	struct loop *loop;
	struct operation *first;
	struct job *jobs; /* given to the pool, and not told to be done */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned in_pool;
	bool abandoned;
};

struct job {
	struct job *next, **link;
	struct operations *owner; /* NULL: abandoned */
	void (*work)(void *data);
	void (*done)(void *data);
	void *data;
};

struct operations *operations_new(struct loop *loop)
{
	struct operations *operations = xcalloc(1, sizeof(*operations));

	operations->loop = loop;
	pthread_mutex_init(&operations->lock, NULL);
	pthread_cond_init(&operations->idle, NULL);
	return operations;
}

void operation_begin(struct operations *operations, struct operation *operation,
		     void (*free_data)(void *data), void *data)
{
	*operation = (struct operation){
		.next = operations->first,
		.link = &operations->first,
		.free = free_data,
		.data = data,
	};
	if (operation->next)
		operation->next->link = &operation->next;
	operations->first = operation;
}

void operation_end(struct operation *operation)
{
	if (!operation->link)
		return;
	*operation->link = operation->next;
	if (operation->next)
		operation->next->link = operation->link;
	operation->link = NULL;
}

/* On a thread of the pool. */
static void job_work(void *data)
{
	struct job *job = data;
	struct operations *owner = job->owner;
	bool skip;

	pthread_mutex_lock(&owner->lock);
	skip = owner->abandoned;
	pthread_mutex_unlock(&owner->lock);
	if (!skip)
		job->work(job->data);
	pthread_mutex_lock(&owner->lock);
	if (--owner->in_pool == 0)
		pthread_cond_signal(&owner->idle);
	pthread_mutex_unlock(&owner->lock);
}

static void job_remove(struct job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	job->owner = NULL;
}

static void job_done(void *data)
{
	struct job *job = data;

	if (job->owner) {
		job_remove(job);
		job->done(job->data);
	}
	free(job);
}

void operations_work(struct operations *operations, void (*work)(void *data),
		     void (*done)(void *data), void *data)
{
	struct job *job;

	if (operations->abandoned)
		return;
	job = xcalloc(1, sizeof(*job));
	*job = (struct job){
		.next = operations->jobs,
		.link = &operations->jobs,
		.owner = operations,
		.work = work,
		.done = done,
		.data = data,
	};
	if (job->next)
		job->next->link = &job->next;
	operations->jobs = job;
	pthread_mutex_lock(&operations->lock);
	operations->in_pool++;
	pthread_mutex_unlock(&operations->lock);
	loop_work(operations->loop, job_work, job_done, job);
}

void operations_abandon(struct operations *operations)
{
	pthread_mutex_lock(&operations->lock);
	operations->abandoned = true;
	while (operations->in_pool > 0)
		pthread_cond_wait(&operations->idle, &operations->lock);
	pthread_mutex_unlock(&operations->lock);
	/* The loop still has them, and frees them when it comes to them. */
	while (operations->jobs)
		job_remove(operations->jobs);
}

void operations_free(struct operations *operations)
{
	operations_abandon(operations);
	while (operations->first) {
		struct operation *operation = operations->first;

		operation_end(operation);
		operation->free(operation->data);
	}
	pthread_cond_destroy(&operations->idle);
	pthread_mutex_destroy(&operations->lock);
	free(operations);
}
