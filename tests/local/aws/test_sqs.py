"""SQS is moto's own; this shows that it is there and what STACK may rely on."""

from local.aws import ThreadedAws


def test_messages_come_back_until_they_are_deleted(aws: ThreadedAws) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="gate-lanes", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    assert url.startswith(aws.sqs_url)
    sqs.send_message(QueueUrl=url, MessageBody='{"lane": 2}')
    for count in ("1", "2"):
        [message] = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
        assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ('{"lane": 2}', count)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.close()
