"""Session messages: start, ids, accounts managed, clock, errors."""

from tws_simulator.wire.row import REPLY, REQUEST, Row

MESSAGES = (
    Row(REQUEST, 71, "startApi", 213, "=2 clientId:i=0 optionalCapabilities:s", "clientId:i optionalCapabilities:s"),
    Row(REQUEST, 8, "reqIds", 213, "=1 numIds:i=1", "numIds:i"),
    Row(REQUEST, 14, "setServerLogLevel", 213, "=1 logLevel:i=1", "logLevel:i"),
    Row(REQUEST, 17, "reqManagedAccts", 207, "=1", ""),
    Row(REQUEST, 49, "reqCurrentTime", 213, "=1", ""),
    Row(REQUEST, 105, "reqCurrentTimeInMillis", 213, "", ""),
    Row(REPLY, 9, "nextValidId", 213, "=1 orderId:i=0", "orderId:i"),
    Row(REPLY, 15, "managedAccounts", 207, "=1 accountsList:s", "accountsList:s"),
    Row(REPLY, 49, "currentTime", 213, "=1 currentTime:i=0", "currentTime:i"),
    Row(REPLY, 109, "currentTimeInMillis", 213, "currentTimeInMillis:i=0", "currentTimeInMillis:i"),
    # Errors turn to protobuf with the first protobuf version, before their own family: seen in captures at 201.
    Row(
        REPLY,
        4,
        "error",
        201,
        "=2@..193 id:i=-1 errorCode:i=0 errorMsg:s advancedOrderRejectJson:s@166.. errorTime:i@194..",
        "id:i errorTime:i errorCode:i errorMsg:s advancedOrderRejectJson:s",
    ),
)
